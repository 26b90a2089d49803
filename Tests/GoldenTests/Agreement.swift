// How well results agree: the worst error of all comparisons of a case, relative to the tolerance.

import Engine
import Foundation
import Layers

/// The comparisons of one case.
struct Agreement {
  private(set) var worst = (name: "-", error: 0.0, tolerance: 1.0)
  private(set) var problems: [String] = []
  private(set) var comparisons = 0

  /// The tolerances of Tests/Golden/README.md.
  static let arithmetic = 1e-5, network = 1e-4, gradient = 5e-4, trajectory = 1e-3

  /// Compares by max|a-b| / max|b|, where b are the expected values.
  mutating func compare(_ name: String, _ found: Tensor, _ expected: Tensor, tolerance: Double) {
    guard found.shape == expected.shape else {
      problems.append("\(name): shape \(found.shape), expected \(expected.shape)")
      return
    }
    compare(name, found.values, expected.values, tolerance: tolerance)
  }

  mutating func compare(_ name: String, _ found: [Float], _ expected: [Float], tolerance: Double) {
    comparisons += 1
    guard found.count == expected.count else {
      problems.append("\(name): \(found.count) values, expected \(expected.count)")
      return
    }
    var error = 0.0, size = 0.0, at = 0
    for (index, (a, b)) in zip(found, expected).enumerated() {
      let distance = abs(Double(a) - Double(b))
      if !(distance <= error) { (error, at) = (distance, index) }
      size = max(size, abs(Double(b)))
    }
    // If all expected values are 0, the absolute error counts.
    let relative = size > 0 ? error / size : error
    if !(relative / tolerance <= worst.error / worst.tolerance) { worst = (name, relative, tolerance) }
    if !(relative <= tolerance) {
      problems.append(
        "\(name): the relative error \(relative) is above \(tolerance); worst at index \(at): \(found[at]), expected "
          + "\(expected[at])")
    }
  }

  /// Integers must be equal.
  mutating func compare(_ name: String, _ found: [Int], _ expected: [Int]) {
    comparisons += 1
    if let at = zip(found, expected).enumerated().first(where: { $1.0 != $1.1 })?.offset {
      problems.append("\(name): \(found[at]) at \(at), expected \(expected[at])")
    } else if found.count != expected.count {
      problems.append("\(name): \(found.count) integers, expected \(expected.count)")
    }
  }

  /// A condition of a case.
  mutating func require(_ condition: Bool, _ problem: String) {
    comparisons += 1
    if !condition { problems.append(problem) }
  }
}
