// Layer norm and group norm.

package import Engine

package final class LayerNorm {
  package let weight: Parameter
  package let bias: Parameter
  private let epsilon: Float

  package init(_ path: ParameterPath, _ width: Int, epsilon: Float = 1e-5) throws {
    weight = try path.parameter("weight", [width], .ones)
    bias = try path.parameter("bias", [width], .zeros)
    self.epsilon = epsilon
  }

  package func callAsFunction(_ x: Tensor) -> Tensor { layerNorm(x, weights) }

  var weights: LayerNormWeights { LayerNormWeights(weight: weight.tensor, bias: bias.tensor, epsilon: epsilon) }
}

/// Group norm of NHWC images, with SiLU in the same pass if `silu` is true.
package final class GroupNorm {
  package let weight: Parameter
  package let bias: Parameter
  private let groups: Int
  private let epsilon: Float

  package init(_ path: ParameterPath, _ channels: Int, groups: Int, epsilon: Float) throws {
    weight = try path.parameter("weight", [channels], .ones)
    bias = try path.parameter("bias", [channels], .zeros)
    self.groups = groups
    self.epsilon = epsilon
  }

  /// `[B, H, W, C]` to the same shape. The result reuses the memory of x if no tape records and x is its only owner.
  package func callAsFunction(_ x: consuming Tensor, silu: Bool = false) -> Tensor {
    groupNorm(consume x, weight.tensor, bias.tensor, groups: groups, epsilon: epsilon, silu: silu)
  }
}
