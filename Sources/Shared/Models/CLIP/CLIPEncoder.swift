// The transformer of CLIP's text and image towers.

import Engine
package import Layers

package struct CLIPTowerConfiguration: Sendable {
  package let width, intermediateWidth, layers, heads: Int
  package let activation: Activation
  package let epsilon: Float

  init(_ c: ModelConfiguration) throws {
    width = try c.integer("hidden_size")
    intermediateWidth = try c.integer("intermediate_size")
    layers = try c.integer("num_hidden_layers")
    heads = try c.integer("num_attention_heads")
    guard heads > 0, width % heads == 0 else {
      throw c.wrong("num_attention_heads", expected: "a divisor of hidden_size \(width)")
    }
    let name = try c.string("hidden_act", "quick_gelu")
    guard let activation = Activation(rawValue: name) else {
      throw c.wrong("hidden_act", expected: "one of " + Activation.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self.activation = activation
    epsilon = Float(try c.number("layer_norm_eps", 1e-5))
    try c.require("attention_dropout", oneOf: .number(0))
    try c.require("dropout", oneOf: .number(0))
  }
}

/// CLIP's transformer: pre-norm layers of self-attention and a two-layer perceptron.
final class CLIPEncoder {
  private struct Layer {
    let norm1, norm2: LayerNorm
    let query, key, value, out: Linear
    let expand, contract: Linear
  }

  private let layers: [Layer]
  private let c: CLIPTowerConfiguration

  init(_ path: ParameterPath, _ c: CLIPTowerConfiguration) throws {
    self.c = c
    layers = try (0..<c.layers).map { i in
      let layer = path["layers"][i], own = layer["self_attn"], mlp = layer["mlp"]
      return Layer(
        norm1: try LayerNorm(layer["layer_norm1"], c.width, epsilon: c.epsilon),
        norm2: try LayerNorm(layer["layer_norm2"], c.width, epsilon: c.epsilon),
        query: try Linear(own["q_proj"], in: c.width, out: c.width),
        key: try Linear(own["k_proj"], in: c.width, out: c.width),
        value: try Linear(own["v_proj"], in: c.width, out: c.width),
        out: try Linear(own["out_proj"], in: c.width, out: c.width),
        expand: try Linear(mlp["fc1"], in: c.width, out: c.intermediateWidth),
        contract: try Linear(mlp["fc2"], in: c.intermediateWidth, out: c.width))
    }
  }

  /// Builds the transformer with open_clip's layout, which keeps query, key and value in one tensor.
  init(openCLIP path: ParameterPath, _ c: CLIPTowerConfiguration) throws {
    self.c = c
    layers = try (0..<c.layers).map { i in
      let layer = path["resblocks"][i], own = layer["attn"], mlp = layer["mlp"]
      let weight = try own.parameter("in_proj_weight", [3 * c.width, c.width], .zeros).value
      let bias = try own.parameter("in_proj_bias", [3 * c.width], .zeros).value
      func part(_ name: String, _ index: Int) -> Linear {
        let rows = index * c.width..<(index + 1) * c.width
        return Linear(
          name: own[name].name, weight: weight.slice(axis: 0, rows), bias: bias.slice(axis: 0, rows))
      }
      return Layer(
        norm1: try LayerNorm(layer["ln_1"], c.width, epsilon: c.epsilon),
        norm2: try LayerNorm(layer["ln_2"], c.width, epsilon: c.epsilon),
        query: part("query", 0), key: part("key", 1), value: part("value", 2),
        out: try Linear(own["out_proj"], in: c.width, out: c.width),
        expand: try Linear(mlp["c_fc"], in: c.width, out: c.intermediateWidth),
        contract: try Linear(mlp["c_proj"], in: c.intermediateWidth, out: c.width))
    }
  }

  /// `[B, N, width]` to `[B, N, width]`.
  func callAsFunction(_ x: Tensor, causal: Bool) -> Tensor {
    var x = x
    for layer in layers {
      let h = layer.norm1(x)
      let projected = Linear.together([layer.query, layer.key, layer.value], h)
      x = layer.out(attention(queriesKeysValues: projected, heads: c.heads, causal: causal), residual: x)
      x = layer.contract(c.activation(layer.expand(layer.norm2(x))), residual: x)
    }
    return x
  }
}
