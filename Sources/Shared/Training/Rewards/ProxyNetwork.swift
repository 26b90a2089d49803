// The network of a learned reward: linear layers without activations on an image embedding, with dropout while it is
// fitted, as the aesthetic predictor has them (SQDF's published online setting).

internal import Engine
internal import Layers

/// D to 1024, 128, 64, 16 and 1.
final class ProxyNetwork {
  private static let widths = [1024, 128, 64, 16, 1]
  /// Dropout after each layer while fitting.
  private static let dropout: [Float] = [0.2, 0.2, 0.1, 0, 0]

  private let layers: [Linear]
  let parameters: [Parameter]

  /// New weights.
  ///
  /// - Parameter inputs: D.
  /// - Throws: never; new weights always fit.
  init(inputs: Int, name: String, random: RandomStream) throws {
    let source = ParameterSource(random: random)
    var width = inputs
    layers = try Self.widths.enumerated().map { index, outputs in
      defer { width = outputs }
      return try Linear(source.root[name][index], in: width, out: outputs)
    }
    parameters = source.parameters
  }

  /// Embeddings `[B, D]` to the last layer's inputs, `[B, 16]`.
  func features(_ embeddings: Tensor) -> Tensor { layers.dropLast().reduce(embeddings) { $1($0) } }

  /// Embeddings `[B, D]` to rewards, `[B]`.
  func callAsFunction(_ embeddings: Tensor) -> Tensor {
    layers.reduce(embeddings) { $1($0) }.reshaped([-1])
  }

  /// As above, with dropout.
  func fitted(_ embeddings: Tensor, random: inout RandomStream) -> Tensor {
    var x = embeddings
    for (layer, share) in zip(layers, Self.dropout) {
      x = layer(x)
      if share > 0 {
        // 1 where the number is above the share, 0 elsewhere.
        let kept = ((random.uniform(x.shape) - share) * 1e30).clamped(0, 1)
        x = x * kept / (1 - share)
      }
    }
    return x.reshaped([-1])
  }
}
