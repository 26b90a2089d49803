// How well results agree: the worst error of all comparisons of a case, relative to the tolerance.

import Engine
import Foundation
import Layers

/// The comparisons of one case. A key names the expected values in the tensors of the case.
struct Agreement {
  let tensors: SafetensorsFile
  private(set) var worst = (name: "-", error: 0.0, tolerance: 1.0)
  private(set) var problems: [String] = []
  private(set) var comparisons = 0

  init(with tensors: SafetensorsFile) { self.tensors = tensors }

  /// The tolerances of Tests/Golden/README.md.
  static let arithmetic = 1e-5, network = 1e-4, gradient = 5e-4, trajectory = 1e-3

  /// Compares by max|a-b| / max|b|, where b are the expected values.
  mutating func compare(_ key: String, _ found: Tensor, within tolerance: Double) throws {
    let expected = try tensors.tensor(key)
    guard found.shape == expected.shape else {
      problems.append("\(key): shape \(found.shape), expected \(expected.shape)")
      return
    }
    try compare(key, found.values, within: tolerance)
  }

  mutating func compare(_ key: String, _ found: [Float], within tolerance: Double) throws {
    let expected = try tensors.tensor(key).values
    comparisons += 1
    guard found.count == expected.count else {
      problems.append("\(key): \(found.count) values, expected \(expected.count)")
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
    if !(relative / tolerance <= worst.error / worst.tolerance) { worst = (key, relative, tolerance) }
    if !(relative <= tolerance) {
      problems.append(
        "\(key): the relative error \(relative) is above \(tolerance); worst at index \(at): \(found[at]), expected "
          + "\(expected[at])")
    }
  }

  /// Integers must be equal.
  mutating func compare(_ key: String, _ found: [Int]) throws {
    let expected = try tensors.integers(key)
    comparisons += 1
    if let at = zip(found, expected).enumerated().first(where: { $1.0 != $1.1 })?.offset {
      problems.append("\(key): \(found[at]) at \(at), expected \(expected[at])")
    } else if found.count != expected.count {
      problems.append("\(key): \(found.count) integers, expected \(expected.count)")
    }
  }

  /// Compares the gradients of all parameters, and requires that the case has gradients for exactly these.
  mutating func compareGradients(of parameters: [Parameter], _ gradients: Gradients, with prefix: String) throws {
    let expected = Set(tensors.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
    require(expected == Set(parameters.map(\.name)), "\(prefix): the case's parameters are not those of the adapter")
    for parameter in parameters where expected.contains(parameter.name) {
      let gradient = gradients[parameter] ?? Tensor.zeros(parameter.value.shape)
      try compare(prefix + parameter.name, gradient, within: Self.gradient)
    }
  }

  mutating func require(_ condition: Bool, _ problem: String) {
    comparisons += 1
    if !condition { problems.append(problem) }
  }
}
