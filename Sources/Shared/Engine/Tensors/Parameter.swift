// A parameter is a named value that training may change. Everything else in the engine is immutable.

/// A named weight of a model.
package final class Parameter {
  /// How the engine keeps a weight, as against the checkpoint.
  package enum Layout: Sendable {
    case asStored
    /// Stored `[out, in, height, width]`, kept `[out, height, width, in]`: convolutions run on NHWC.
    case convolution
  }

  /// The checkpoint's key.
  package let name: String
  package let layout: Layout
  /// The weight, in the engine's layout.
  package var value: Tensor
  /// Whether gradients are wanted.
  package var isTrainable: Bool

  package init(name: String, value: Tensor, layout: Layout = .asStored, isTrainable: Bool = false) {
    self.name = name
    self.value = value
    self.layout = layout
    self.isTrainable = isTrainable
  }

  /// The value to compute with: tracked when it is trainable and a tape is in force.
  package var tensor: Tensor {
    guard isTrainable, let tape = Tape.current else { return value }
    return tape.leaf(self)
  }

  /// The weight in the checkpoint's layout.
  package var stored: Tensor {
    layout == .convolution ? value.permuted([0, 3, 1, 2]) : value
  }

  /// Brings a tensor of the checkpoint's layout into the engine's.
  package static func kept(_ stored: Tensor, layout: Layout) -> Tensor {
    layout == .convolution ? stored.permuted([0, 2, 3, 1]) : stored
  }
}

/// Gradients by parameter.
package struct Gradients {
  private var byParameter: [ObjectIdentifier: Tensor] = [:]

  package init() {}

  /// The gradient of a parameter, in the engine's layout; nil when the loss does not depend on it.
  package subscript(_ parameter: Parameter) -> Tensor? {
    get { byParameter[ObjectIdentifier(parameter)] }
    set { byParameter[ObjectIdentifier(parameter)] = newValue }
  }

  package var isEmpty: Bool { byParameter.isEmpty }

  /// Sums with another set, for accumulation over minibatches.
  package mutating func add(_ other: Gradients) {
    for (key, gradient) in other.byParameter {
      Tape.add(gradient, to: &byParameter[key])
    }
  }
}
