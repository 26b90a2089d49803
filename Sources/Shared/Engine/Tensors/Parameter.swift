// A parameter is a named tensor that training may replace. Tensors themselves are immutable.

/// A named weight of a model.
package final class Parameter {
  /// The layout of a weight in the engine, relative to its layout in the checkpoint.
  package enum Layout: Sendable {
    case asStored
    /// `[out, in, height, width]` in the checkpoint, `[out, height, width, in]` in the engine: convolutions run on
    /// NHWC.
    case convolution
  }

  /// The key in the checkpoint.
  package let name: String
  package let layout: Layout
  /// The weight in the layout of the engine.
  package var value: Tensor
  /// Whether gradients are computed for it.
  package var isTrainable: Bool

  package init(name: String, value: Tensor, layout: Layout = .asStored, isTrainable: Bool = false) {
    self.name = name
    self.value = value
    self.layout = layout
    self.isTrainable = isTrainable
  }

  /// The value to compute with: tracked when the parameter is trainable and a tape is recording.
  package var tensor: Tensor {
    guard isTrainable, let tape = Tape.current else { return value }
    return tape.leaf(self)
  }

  /// The weight in the layout of the checkpoint.
  package var stored: Tensor {
    layout == .convolution ? value.permuted([0, 3, 1, 2]) : value
  }

  /// Converts a tensor from the layout of the checkpoint to that of the engine.
  package static func kept(_ stored: Tensor, layout: Layout) -> Tensor {
    layout == .convolution ? stored.permuted([0, 2, 3, 1]) : stored
  }
}

/// Gradients by parameter.
package struct Gradients {
  private var byParameter: [ObjectIdentifier: Tensor] = [:]

  package init() {}

  /// The gradient of a parameter, in the layout of the engine; nil when the loss does not depend on the parameter.
  package subscript(_ parameter: Parameter) -> Tensor? {
    get { byParameter[ObjectIdentifier(parameter)] }
    set { byParameter[ObjectIdentifier(parameter)] = newValue }
  }

  package var isEmpty: Bool { byParameter.isEmpty }

  /// Adds other gradients, for accumulation over minibatches.
  package mutating func add(_ other: Gradients) {
    for (key, gradient) in other.byParameter {
      Tape.add(gradient, to: &byParameter[key])
    }
  }
}
