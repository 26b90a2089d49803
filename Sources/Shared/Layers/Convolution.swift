// Two-dimensional convolution of NHWC images with a square kernel.

package import Engine

package final class Conv2d {
  package let weight: Parameter
  package let bias: Parameter?
  private let stride: Int
  private let padding: Padding

  package init(
    _ path: ParameterPath, in inputs: Int, out outputs: Int, kernel: Int, stride: Int = 1, padding: Padding? = nil,
    bias: Bool = true
  ) throws {
    let fan = inputs * kernel * kernel
    weight = try path.parameter(
      "weight", [outputs, inputs, kernel, kernel], .uniform(fanIn: fan), layout: .convolution)
    self.bias = try bias ? path.parameter("bias", [outputs], .uniform(fanIn: fan)) : nil
    self.stride = stride
    self.padding = padding ?? Padding(kernel / 2)
  }

  /// `[B, H, W, in]` to `[B, H', W', out]`; see `conv2d` for the optional terms.
  package func callAsFunction(
    _ x: Tensor, shift: Tensor? = nil, residual: Tensor? = nil, doubled: Bool = false
  ) -> Tensor {
    conv2d(
      x, weight.tensor, bias?.tensor, stride: stride, padding: padding, shift: shift, residual: residual,
      doubled: doubled)
  }
}
