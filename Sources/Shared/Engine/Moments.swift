// Mean and spread of numbers, computed in double precision.

/// Mean, standard deviation and standard error of a list of numbers; all 0 for an empty list.
package struct Moments: Sendable {
  package let count: Int
  package let mean: Double
  /// Standard deviation of the population.
  package let std: Double
  /// Standard error of the mean, by the sample variance (n - 1).
  package let standardError: Double

  package init(_ values: [Float]) { self.init(values.map(Double.init)) }

  package init(_ values: [Double]) {
    count = values.count
    let n = Double(max(values.count, 1)), mean = values.reduce(0, +) / n
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    std = (squares / n).squareRoot()
    standardError = (squares / max(n - 1, 1) / n).squareRoot()
  }

  /// (x - mean) / (std + ε)
  package func normalized(_ value: Float, epsilon: Double) -> Float {
    Float((Double(value) - mean) / (std + epsilon))
  }

  /// By the sample standard deviation (n - 1); 0 for a value that is alone.
  package func sampleNormalized(_ value: Float, epsilon: Double) -> Float {
    guard count > 1 else { return 0 }
    let sample = std * (Double(count) / Double(count - 1)).squareRoot()
    return Float((Double(value) - mean) / (sample + epsilon))
  }
}
