// The affine layer, and the low-rank adapter for fine-tuning.

package import Engine

/// y = x W^T + b, plus a low-rank adapter if it has one.
package final class Linear {
  package let weight: Parameter
  package let bias: Parameter?
  package var adapter: LoRA?
  /// Its path in the checkpoint, such as `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`.
  package let name: String

  package init(_ path: ParameterPath, in inputs: Int, out outputs: Int, bias: Bool = true) throws {
    name = path.name
    weight = try path.parameter("weight", [outputs, inputs], .uniform(fanIn: inputs))
    self.bias = try bias ? path.parameter("bias", [outputs], .uniform(fanIn: inputs)) : nil
  }

  /// A layer whose weights are stored differently in the checkpoint, such as three layers in one tensor. `weight` is
  /// `[out, in]`, `bias` `[out]`.
  package init(name: String, weight: Tensor, bias: Tensor? = nil) {
    self.name = name
    self.weight = Parameter(name: name + ".weight", value: weight)
    self.bias = bias.map { Parameter(name: name + ".bias", value: $0) }
  }

  /// `[..., in]` to `[..., out]`. `residual`, with the shape of the result, is added in the same pass.
  package func callAsFunction(_ x: Tensor, residual: Tensor? = nil) -> Tensor {
    linear(x, [weights], residual: residual)
  }

  /// The results of several layers for one input, joined along the last axis.
  package static func together(_ layers: [Linear], _ x: Tensor) -> Tensor { linear(x, layers.map(\.weights)) }

  /// The results of several layers for the layer norm of one input; the normalized values are not kept for the
  /// gradient.
  package static func together(_ layers: [Linear], _ x: Tensor, after norm: LayerNorm) -> Tensor {
    linear(x, after: norm.weights, layers.map(\.weights))
  }

  private var weights: AffineWeights {
    AffineWeights(weight: weight.tensor, bias: bias?.tensor, adapter: adapter?.tensors)
  }

  package var inputs: Int { weight.value.shape[1] }
  package var outputs: Int { weight.value.shape[0] }
}

/// A low-rank addition to a linear layer (Hu et al., arXiv 2106.09685): scale B A x, scale = alpha / rank.
package final class LoRA {
  /// A, `[rank, in]`.
  package let down: Parameter
  /// B, `[out, rank]`.
  package let up: Parameter
  package let scale: Float

  /// - Parameter name: the path of the layer in the LoRA files of diffusers, with the leading `unet.`.
  package init(name: String, down: Tensor, up: Tensor, alpha: Float) {
    self.down = Parameter(name: name + ".lora_A.weight", value: down, isTrainable: true)
    self.up = Parameter(name: name + ".lora_B.weight", value: up, isTrainable: true)
    scale = alpha / Float(down.shape[0])
  }

  var tensors: LowRank { LowRank(down: down.tensor, up: up.tensor, scale: scale) }

  package var rank: Int { down.value.shape[0] }
}
