// A parameter is a named tensor that training may replace. Tensors themselves are immutable.

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
  package var isTrainable: Bool

  package init(name: String, value: Tensor, layout: Layout = .asStored, isTrainable: Bool = false) {
    self.name = name
    self.value = value
    self.layout = layout
    self.isTrainable = isTrainable
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

package struct Gradients {
  private var byParameter: [ObjectIdentifier: Tensor] = [:]

  package init() {}

  /// The gradient of a parameter, in the layout of the engine; nil when the loss does not depend on the parameter.
  package subscript(_ parameter: Parameter) -> Tensor? {
    get { byParameter[ObjectIdentifier(parameter)] }
    set { byParameter[ObjectIdentifier(parameter)] = newValue }
  }

  package var isEmpty: Bool { byParameter.isEmpty }

  package mutating func add(_ other: Gradients) {
    for (key, gradient) in other.byParameter { byParameter[key].accumulate(gradient) }
  }
}
