// Where layers get their weights: each asks for its own by the checkpoint's path, with the shape it expects, so nothing
// is renamed, nothing missing goes unseen, and what is left over is an error.

package import Engine

/// A checkpoint does not fit the model that its configuration describes.
package struct CheckpointMismatch: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// How a new weight is drawn when a model is made from nothing.
package enum Initialization: Sendable {
  case zeros
  case ones
  /// Uniform in ±1/sqrt(fan in), PyTorch's default for linear layers and convolutions.
  case uniform(fanIn: Int)
  case normal(deviation: Float)
}

/// Gives layers their weights, and keeps the list of them.
package final class ParameterSource {
  private enum Origin {
    case checkpoint(SafetensorsFile)
    case random(RandomStream)
    case shared([String: Parameter])
  }

  private let origin: Origin
  /// Every parameter handed out, in the order of the model's construction.
  package private(set) var parameters: [Parameter] = []

  /// From a checkpoint; `finish` must be called when the model is complete.
  package init(checkpoint: SafetensorsFile) { origin = .checkpoint(checkpoint) }

  /// New weights, each from its own stream, forked by its name.
  package init(random: RandomStream) { origin = .random(random) }

  /// The weights that another model of the same configuration has now. Memory is shared until either side is trained.
  package init(sharing parameters: [Parameter]) {
    origin = .shared(Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0) }))
  }

  /// The place of the model's outermost names.
  package var root: ParameterPath { ParameterPath(source: self, prefix: "") }

  func has(_ name: String) -> Bool {
    switch origin {
    case .checkpoint(let reader): return reader.shape(of: name) != nil
    case .shared(let known): return known[name] != nil
    case .random: return false
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
          description: "\(reader.path): expected a tensor \(name) of shape \(shape), found none of that name. "
            + "Check that config.json belongs to these weights.")
      }
      guard found == shape else {
        throw CheckpointMismatch(
          description: "\(reader.path): \(name): expected shape \(shape) by config.json, found \(found)")
      }
      stored = try reader.tensor(name)
    case .shared(let known):
      let kept = layout == .convolution ? [shape[0], shape[2], shape[3], shape[1]] : shape
      guard let other = known[name], other.layout == layout, other.value.shape == kept else {
        throw CheckpointMismatch(
          description: "sharing weights: expected a tensor \(name), kept as \(kept), found "
            + "\(known[name].map { "\($0.value.shape)" } ?? "none")")
      }
      return handedOut(Parameter(name: name, value: other.value, layout: layout))
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

  /// Checks that the model has taken every tensor of its checkpoint.
  ///
  /// - Parameter ignoring: endings of names that checkpoints carry and models do not need.
  /// - Throws: `CheckpointMismatch` naming what is left over.
  package func finish(ignoring: [String] = []) throws {
    guard case .checkpoint(let reader) = origin else { return }
    let taken = Set(parameters.map(\.name))
    let left = reader.names.filter { name in !taken.contains(name) && !ignoring.contains { name.hasSuffix($0) } }
    guard left.isEmpty else {
      throw CheckpointMismatch(
        description: "\(reader.path): \(left.count) tensors have no place in the model its config.json describes, as "
          + left.sorted().prefix(3).joined(separator: ", ") + ". Check that config.json belongs to these weights.")
    }
  }
}

extension Tensor {
  /// One pass without tensors between: a large model is made in little more memory than its own.
  fileprivate func mapped(_ change: (Float) -> Float) -> Tensor {
    withUnsafeBuffer { values in
      Tensor(shape: shape) { target in
        for index in 0..<values.count { target[index] = change(values[index]) }
      }
    }
  }
}

/// A place in a checkpoint, as `down_blocks.0.resnets.1`.
package struct ParameterPath {
  private let source: ParameterSource
  private let prefix: String

  init(source: ParameterSource, prefix: String) {
    self.source = source
    self.prefix = prefix
  }

  /// The place under a name.
  package subscript(_ name: String) -> ParameterPath {
    ParameterPath(source: source, prefix: prefix.isEmpty ? name : prefix + "." + name)
  }

  /// The place of a list's element.
  package subscript(_ index: Int) -> ParameterPath { self[String(index)] }

  /// Whether the checkpoint has a tensor of this name here; false for a model made from nothing.
  package func has(_ name: String) -> Bool { source.has(self[name].prefix) }

  /// The parameters that the source has handed out so far at or under this place.
  package var parameters: [Parameter] {
    prefix.isEmpty ? source.parameters : source.parameters.filter { $0.name.hasPrefix(prefix + ".") }
  }

  /// This place as the checkpoint spells it.
  package var name: String { prefix }

  /// The weight of a name here.
  ///
  /// - Throws: what the checkpoint's reader throws when it is absent or of another shape.
  package func parameter(
    _ name: String, _ shape: [Int], _ initialization: Initialization, layout: Parameter.Layout = .asStored
  ) throws -> Parameter {
    try source.parameter(self[name].prefix, shape: shape, initialization, layout: layout)
  }
}
