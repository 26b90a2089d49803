// Tensors and optimizer moments of checkpoints: each is read with the shape that the configuration gives it.

internal import Engine
internal import Layers

extension SafetensorsFile {
  /// A tensor with the expected shape.
  ///
  /// - Parameter hint: what to check when the shapes differ, as a question.
  /// - Throws: `TrainingError` when the tensor is missing or has another shape.
  func tensor(_ name: String, shape expected: [Int], hint: String) throws -> Tensor {
    guard let found = shape(of: name), found == expected else {
      let found = shape(of: name).map { "\($0)" } ?? "no such tensor"
      throw TrainingError("\(path): \(name): expected shape \(expected), found \(found); \(hint)")
    }
    return try tensor(name)
  }
}

extension AdamW {
  /// The moments of all parameters, as `first.NAME` and `second.NAME`.
  var namedMoments: [(name: String, value: Tensor)] {
    parameters.enumerated().flatMap { index, parameter in
      let (first, second) = moments(at: index)
      return [("first." + parameter.name, first), ("second." + parameter.name, second)]
    }
  }

  /// Sets the values of the parameters in place, because the optimizer and the network share the parameter objects.
  func restoreParameters(from file: SafetensorsFile, hint: String) throws {
    for parameter in parameters {
      parameter.value = try file.tensor(parameter.name, shape: parameter.value.shape, hint: hint)
    }
  }

  /// Restores `namedMoments`.
  func restoreMoments(step: Int, from file: SafetensorsFile, hint: String) throws {
    let moments = try parameters.map { parameter in
      let shape = parameter.value.shape
      return (
        first: try file.tensor("first." + parameter.name, shape: shape, hint: hint),
        second: try file.tensor("second." + parameter.name, shape: shape, hint: hint)
      )
    }
    restore(step: step, moments: moments)
  }
}
