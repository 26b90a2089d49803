// diffusers' Transformer2DModel: self-attention, cross-attention and a gated feed-forward layer over an image's
// positions.

import Engine
import Layers

/// diffusers' Attention: multi-head attention with projections, used as self-attention and as cross-attention.
final class Attention {
  let toQuery, toKey, toValue, toOut: Linear
  private let heads: Int

  init(_ path: ParameterPath, width: Int, contextWidth: Int, heads: Int) throws {
    toQuery = try Linear(path["to_q"], in: width, out: width, bias: false)
    toKey = try Linear(path["to_k"], in: contextWidth, out: width, bias: false)
    toValue = try Linear(path["to_v"], in: contextWidth, out: width, bias: false)
    toOut = try Linear(path["to_out"][0], in: width, out: width)
    self.heads = heads
  }

  /// x + attention of the normalized x `[B, N, width]` to itself, or to a context `[B, M, contextWidth]`.
  func callAsFunction(_ x: Tensor, after norm: LayerNorm, context: Tensor? = nil) -> Tensor {
    let attended = if let context {
      attention(
        Linear.together([toQuery], x, after: norm), keysValues: Linear.together([toKey, toValue], context),
        heads: heads)
    } else {
      attention(queriesKeysValues: Linear.together([toQuery, toKey, toValue], x, after: norm), heads: heads)
    }
    return toOut(attended, residual: x)
  }

  /// The layers that LoRA adapts.
  var projections: [Linear] { [toQuery, toKey, toValue, toOut] }
}

/// diffusers' BasicTransformerBlock.
final class TransformerBlock {
  private let norm1, norm2, norm3: LayerNorm
  let selfAttention, crossAttention: Attention
  private let expand, contract: Linear

  init(_ path: ParameterPath, width: Int, contextWidth: Int, heads: Int) throws {
    norm1 = try LayerNorm(path["norm1"], width)
    selfAttention = try Attention(path["attn1"], width: width, contextWidth: width, heads: heads)
    norm2 = try LayerNorm(path["norm2"], width)
    crossAttention = try Attention(path["attn2"], width: width, contextWidth: contextWidth, heads: heads)
    norm3 = try LayerNorm(path["norm3"], width)
    expand = try Linear(path["ff"]["net"][0]["proj"], in: width, out: 8 * width)
    contract = try Linear(path["ff"]["net"][2], in: 4 * width, out: width)
  }

  func callAsFunction(_ x: Tensor, context: Tensor) -> Tensor {
    let attended = selfAttention(x, after: norm1)
    let informed = crossAttention(attended, after: norm2, context: context)
    guard x.count / x.shape[2] * expand.outputs > Self.largestKept else { return feedForward(informed) }
    let rows = informed.reshaped([-1, x.shape[2]])
    return Tape.recomputing(rows, rows: Self.rowsAtATime, feedForward).reshaped(x.shape)
  }

  private func feedForward(_ x: Tensor) -> Tensor { contract(expand(norm3(x)).geglu(), residual: x) }

  /// If there are more values than this between the feed-forward layers, training recomputes them instead of keeping
  /// them: SD-Turbo with LoRA peaks at 4.25 GB (3.46 GB of weights) instead of 4.5 GB. In pieces they stay in cache.
  private static let largestKept = 1 << 23
  private static let rowsAtATime = 1024
}

/// diffusers' Transformer2DModel on NHWC images. The projections are linear layers (SD 2) or 1x1 convolutions (SD 1),
/// which compute the same with differently shaped weights.
final class Transformer2D {
  private let norm: GroupNorm
  private let projectIn: (Tensor) -> Tensor
  private let projectOut: (Tensor, _ residual: Tensor) -> Tensor
  let blocks: [TransformerBlock]

  init(_ path: ParameterPath, channels: Int, layers: Int, heads: Int, _ c: UNetConfiguration) throws {
    norm = try GroupNorm(path["norm"], channels, groups: c.normGroups, epsilon: 1e-6)
    if c.useLinearProjection {
      let into = try Linear(path["proj_in"], in: channels, out: channels)
      let out = try Linear(path["proj_out"], in: channels, out: channels)
      (projectIn, projectOut) = ({ into($0) }, { out($0, residual: $1) })
    } else {
      let into = try Conv2d(path["proj_in"], in: channels, out: channels, kernel: 1)
      let out = try Conv2d(path["proj_out"], in: channels, out: channels, kernel: 1)
      (projectIn, projectOut) = ({ into($0) }, { out($0, residual: $1) })
    }
    blocks = try (0..<layers).map {
      try TransformerBlock(
        path["transformer_blocks"][$0], width: channels, contextWidth: c.crossAttentionWidth, heads: heads)
    }
  }

  /// `[B, H, W, C]` with context `[B, S, D]` to `[B, H, W, C]`.
  func callAsFunction(_ x: Tensor, context: Tensor) -> Tensor {
    let (b, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    var tokens = projectIn(norm(x)).reshaped([b, h * w, c])
    for block in blocks { tokens = block(tokens, context: context) }
    return projectOut(tokens.reshaped([b, h, w, c]), x)
  }
}
