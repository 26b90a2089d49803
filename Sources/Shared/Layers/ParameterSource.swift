// The source of the weights of layers. Each layer requests its weights by their path in the checkpoint and with their
// shape, so names are never translated, and a missing or an unused tensor is an error.

package import Engine

/// A checkpoint does not match the model that its configuration describes.
package struct CheckpointMismatch: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// The distribution of a new weight when a model is created without a checkpoint.
package enum Initialization: Sendable {
  case zeros
  case ones
  /// Uniform in ±1/sqrt(fanIn), the default of PyTorch for linear layers and convolutions.
  case uniform(fanIn: Int)
  case normal(deviation: Float)
}

package final class ParameterSource {
  private enum Origin {
    case checkpoint(SafetensorsFile)
    case random(RandomStream)
    case shared([String: Parameter])
    case shapes
  }

  private let origin: Origin
  /// All parameters provided so far, in the order in which the model was built.
  package private(set) var parameters: [Parameter] = []
  /// A parameter's name and its shape in the checkpoint.
  package typealias Shape = (name: String, shape: [Int])
  private var shapes: [Shape] = []

  /// Reads weights from a checkpoint. Call `finish` when the model is complete.
  package init(checkpoint: SafetensorsFile) { origin = .checkpoint(checkpoint) }

  /// Draws new weights, each from a stream that is forked by its name.
  package init(random: RandomStream) { origin = .random(random) }

  /// Takes the current weights of another model with the same configuration. Memory is shared until one is trained.
  package init(sharing parameters: [Parameter]) {
    origin = .shared(Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0) }))
  }

  private init() { origin = .shapes }

  /// The weights of the model that `build` constructs, in the order of construction. The parameters of this model are
  /// empty, so it cannot be evaluated, and no memory is needed.
  package static func shapes(_ build: (ParameterSource) throws -> Void) rethrows -> [Shape] {
    let source = ParameterSource()
    try build(source)
    return source.shapes
  }

  package var root: ParameterPath { ParameterPath(source: self, prefix: "") }

  func has(_ name: String) -> Bool {
    switch origin {
    case .checkpoint(let reader): return reader.shape(of: name) != nil
    case .shared(let known): return known[name] != nil
    case .random, .shapes: return false
    }
  }

  func parameter(
    _ name: String, shape: [Int], _ initialization: Initialization, layout: Parameter.Layout
  ) throws -> Parameter {
    let stored: Tensor
    switch origin {
    case .checkpoint(let reader):
      guard let found = reader.shape(of: name) else {
        throw CheckpointMismatch(
          description: "\(reader.path): the tensor \(name) of shape \(shape) is missing. "
            + "Check that config.json belongs to these weights.")
      }
      guard found == shape else {
        throw CheckpointMismatch(
          description: "\(reader.path): tensor \(name): expected shape \(shape) from config.json, found \(found). "
            + "Check that config.json belongs to these weights.")
      }
      stored = try reader.tensor(name)
    case .shared(let known):
      let kept = layout == .convolution ? [shape[0], shape[2], shape[3], shape[1]] : shape
      guard let other = known[name], other.layout == layout, other.value.shape == kept else {
        throw CheckpointMismatch(
          description: "could not share weights: expected a tensor \(name) of shape \(kept), found "
            + "\(known[name].map { "\($0.value.shape)" } ?? "none"); both models must have the same configuration")
      }
      return handedOut(Parameter(name: name, value: other.value, layout: layout))
    case .shapes:
      shapes.append((name, shape))
      return handedOut(Parameter(name: name, value: Tensor.zeros([0]), layout: layout))
    case .random(let stream):
      var stream = stream.fork(name)
      switch initialization {
      case .zeros: stored = Tensor.zeros(shape)
      case .ones: stored = Tensor.ones(shape)
      case .uniform(let fanIn):
        let scale = 1 / Float(fanIn).squareRoot()
        stored = stream.uniform(shape).mapped { ($0 * 2 - 1) * scale }
      case .normal(let deviation): stored = stream.normal(shape).mapped { $0 * deviation }
      }
    }
    return handedOut(Parameter(name: name, value: Parameter.kept(stored, layout: layout), layout: layout))
  }

  private func handedOut(_ parameter: Parameter) -> Parameter {
    parameters.append(parameter)
    return parameter
  }

  /// Checks that the model has taken every tensor of its checkpoint, except those with the suffixes `ignoring`.
  ///
  /// - Throws: `CheckpointMismatch` with the names of tensors that were not used.
  package func finish(ignoring: [String] = []) throws {
    guard case .checkpoint(let reader) = origin else { return }
    let taken = Set(parameters.map(\.name))
    let left = reader.names.filter { name in !taken.contains(name) && !ignoring.contains { name.hasSuffix($0) } }
    guard left.isEmpty else {
      throw CheckpointMismatch(
        description: "\(reader.path): \(left.count) tensors do not belong to the model in config.json, such as "
          + left.sorted().prefix(3).joined(separator: ", ") + ". Check that config.json belongs to these weights.")
    }
  }
}

extension Tensor {
  /// One pass without intermediate tensors, so that creating a model takes little more memory than the model.
  fileprivate func mapped(_ change: (Float) -> Float) -> Tensor {
    withUnsafeBuffer { values in
      Tensor(shape: shape) { target in
        for index in 0..<values.count { target[index] = change(values[index]) }
      }
    }
  }
}

/// A path in a checkpoint, such as `down_blocks.0.resnets.1`.
package struct ParameterPath {
  fileprivate let source: ParameterSource
  fileprivate let prefix: String

  package subscript(_ name: String) -> ParameterPath {
    ParameterPath(source: source, prefix: prefix.isEmpty ? name : prefix + "." + name)
  }

  package subscript(_ index: Int) -> ParameterPath { self[String(index)] }

  /// Whether the checkpoint has a tensor of this name at this path; false for a new model.
  package func has(_ name: String) -> Bool { source.has(self[name].prefix) }

  /// The parameters under this path that the source has provided so far.
  package var parameters: [Parameter] {
    prefix.isEmpty ? source.parameters : source.parameters.filter { $0.name.hasPrefix(prefix + ".") }
  }

  package var name: String { prefix }

  /// The weight of a name under this path, of shape `shape` in the layout of the checkpoint.
  ///
  /// - Throws: `CheckpointMismatch` when it is missing or has another shape.
  package func parameter(
    _ name: String, _ shape: [Int], _ initialization: Initialization, layout: Parameter.Layout = .asStored
  ) throws -> Parameter {
    try source.parameter(self[name].prefix, shape: shape, initialization, layout: layout)
  }
}
