// The network of the proxy reward: linear layers without activations on an image embedding, with dropout during
// fitting, like the aesthetic predictor (the published online setting of SQDF, arXiv 2512.04559).

internal import Engine
internal import Layers

final class ProxyNetwork {
  private static let widths = [1024, 128, 64, 16, 1]
  /// Dropout probability after each layer.
  private static let dropout: [Float] = [0.2, 0.2, 0.1, 0, 0]

  private let layers: [Linear]
  let parameters: [Parameter]

  /// - Parameter inputs: D, the size of an embedding.
  init(inputs: Int, name: String, random: RandomStream) throws {
    let source = ParameterSource(random: random)
    var width = inputs
    layers = try Self.widths.enumerated().map { index, outputs in
      defer { width = outputs }
      return try Linear(source.root[name][index], in: width, out: outputs)
    }
    parameters = source.parameters
  }

  /// Embeddings `[B, D]` to the inputs of the last layer, `[B, 16]`.
  func features(_ embeddings: Tensor) -> Tensor { layers.dropLast().reduce(embeddings) { $1($0) } }

  /// Embeddings `[B, D]` to rewards, `[B]`.
  func callAsFunction(_ embeddings: Tensor) -> Tensor {
    layers.reduce(embeddings) { $1($0) }.reshaped([-1])
  }

  /// Embeddings `[B, D]` to rewards, `[B]`, with dropout.
  func fitted(_ embeddings: Tensor, random: inout RandomStream) -> Tensor {
    var x = embeddings
    for (layer, probability) in zip(layers, Self.dropout) {
      x = layer(x)
      if probability > 0 {
        // 1 where the random number is above the probability, otherwise 0.
        let kept = ((random.uniform(x.shape) - probability) * 1e30).clamped(0, 1)
        x = x * kept / (1 - probability)
      }
    }
    return x.reshaped([-1])
  }
}
