// At how many positions each layer of a network works, told from its name in the checkpoint; with the shapes of the
// weights this gives the cost of an evaluation. Sides are those of square pictures and latents.

internal import Layers

extension UNetConfiguration {
  /// The cost of one evaluation with text states of `tokens` tokens. `latent` is the side of the latents; nil takes
  /// `sampleSize`.
  package func cost(batch: Int, latent: Int? = nil, tokens: Int) throws -> NetworkCost {
    let last = blockOutChannels.count - 1
    // Each downsampler halves the side, rounded up.
    let sides = (0..<last).reduce([latent ?? sampleSize]) { sides, _ in sides + [(sides[sides.count - 1] + 1) / 2] }
    func level(_ name: String) -> Int {
      let parts = name.split(separator: "."), index = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
      return switch parts[0] {
      case "down_blocks": index
      case "mid_block": last
      case "up_blocks": last - index
      default: 0
      }
    }
    func pixels(_ level: Int) -> Int { batch * sides[level] * sides[level] }
    var cost = NetworkCost()
    let weights = try ParameterSource.shapes { _ = try UNet2DCondition(self, from: $0) }
    cost.add(weights) { name in
      if name.hasPrefix("time_embedding") || name.contains("time_emb_proj") { return .init(batch) }
      if name.contains("attn2.to_k") || name.contains("attn2.to_v") { return .init(batch * tokens) }
      let level = level(name)
      if name.contains("downsamplers") { return .init(read: pixels(level), written: pixels(level + 1)) }
      return .init(pixels(name.contains("upsamplers") ? level - 1 : level))
    }
    for (name, shape) in weights where name.hasSuffix("to_q.weight") {
      let side = sides[level(name)]
      cost.addAttention(
        batch: batch, queries: side * side, keys: name.contains("attn2") ? tokens : side * side, width: shape[0])
    }
    return cost
  }
}

extension AutoencoderConfiguration {
  /// The cost of decoding `batch` latents of a side of `latent`.
  package func decodingCost(batch: Int, latent: Int) throws -> NetworkCost {
    try cost(["decoder.", "post_quant_conv."], batch: batch, latent: latent)
  }

  /// The cost of encoding `batch` pictures that give latents of a side of `latent`.
  package func encodingCost(batch: Int, latent: Int) throws -> NetworkCost {
    try cost(["encoder.", "quant_conv."], batch: batch, latent: latent)
  }

  private func cost(_ prefixes: [String], batch: Int, latent: Int) throws -> NetworkCost {
    let weights = try ParameterSource.shapes { _ = try AutoencoderKL(self, from: $0) }
      .filter { weight in prefixes.contains { weight.name.hasPrefix($0) } }
    // Doublings of a latent's side.
    let last = blockOutChannels.count - 1
    func level(_ name: String) -> Int {
      let parts = name.split(separator: "."), index = parts.count > 2 ? Int(parts[2]) ?? 0 : 0
      return switch (parts[0], parts[1]) {
      case ("encoder", "conv_in"), ("decoder", "conv_out"): last
      case ("encoder", "down_blocks"): last - index
      case ("decoder", "up_blocks"): index
      default: 0
      }
    }
    func pixels(_ level: Int) -> Int { batch * (latent << level) * (latent << level) }
    var cost = NetworkCost()
    cost.add(weights) { name in
      let level = level(name)
      if name.contains("downsamplers") { return .init(read: pixels(level), written: pixels(level - 1)) }
      return .init(pixels(name.contains("upsamplers") ? level + 1 : level))
    }
    for (name, shape) in weights where name.hasSuffix("to_q.weight") {
      cost.addAttention(batch: batch, queries: latent * latent, keys: latent * latent, width: shape[0])
    }
    return cost
  }
}

extension AutoencoderTinyConfiguration {
  /// The cost of decoding `batch` latents of a side of `latent`.
  package func decodingCost(batch: Int, latent: Int) throws -> NetworkCost {
    try cost("decoder.", batch: batch, side: latent) { ($0 * 2, $0 * 2) }
  }

  /// The cost of encoding `batch` pictures that give latents of a side of `latent`.
  package func encodingCost(batch: Int, latent: Int) throws -> NetworkCost {
    try cost("encoder.", batch: batch, side: latent << (encoderBlocks.count - 1)) { ($0, $0 / 2) }
  }

  /// - Parameter resized: sides that a convolution which changes the resolution reads and writes; those are the ones
  ///   without a bias.
  private func cost(
    _ prefix: String, batch: Int, side: Int, resized: (Int) -> (read: Int, written: Int)
  ) throws -> NetworkCost {
    let weights = try ParameterSource.shapes { _ = try AutoencoderTiny(self, from: $0) }
      .filter { $0.name.hasPrefix(prefix) }
    let names = Set(weights.map(\.name))
    var cost = NetworkCost(), side = side
    cost.add(weights) { name in
      guard !names.contains(name.dropLast("weight".count) + "bias") else { return .init(batch * side * side) }
      let sides = resized(side)
      side = sides.written
      return .init(read: batch * sides.read * sides.read, written: batch * sides.written * sides.written)
    }
    return cost
  }
}

extension CLIPTextConfiguration {
  /// The cost of encoding `batch` prompts of `tokens` tokens.
  package func cost(batch: Int, tokens: Int) throws -> NetworkCost {
    let weights = try ParameterSource.shapes { _ = try CLIPText(self, from: $0) }
    var cost = NetworkCost()
    cost.add(weights) { $0.contains("embedding") ? nil : .init(batch * tokens) }
    for _ in 0..<tower.layers {
      cost.addAttention(batch: batch, queries: tokens, keys: tokens, width: tower.width)
    }
    return cost
  }
}
