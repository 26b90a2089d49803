// Walks over the layers of each network that count what an evaluation costs, in the order of the network's constructor.

extension UNetConfiguration {
  /// One evaluation.
  ///
  /// - Parameters:
  ///   - batch: samples.
  ///   - latent: a side of the latents; nil takes `sampleSize`.
  ///   - tokens: length of the text states.
  package func cost(batch: Int, latent: Int? = nil, tokens: Int) -> NetworkCost {
    var cost = NetworkCost()
    let channels = blockOutChannels
    let side = latent ?? sampleSize, last = channels.count - 1, timeWidth = 4 * channels[0]
    var size = NetworkCost.Picture(batch: batch, height: side, width: side)
    func transformer(_ index: Int) {
      addTransformer(&cost, size, channels[index], layers: transformerLayers[index], tokens: tokens)
    }
    cost.linear(rows: batch, in: channels[0], out: timeWidth)
    cost.linear(rows: batch, in: timeWidth, out: timeWidth)
    cost.convolution(size, in: inChannels, out: channels[0], kernel: convInKernel)
    var sizes = [size], skips = [channels[0]]
    for index in channels.indices {
      for layer in 0..<layersPerBlock[index] {
        let inputs = layer == 0 ? channels[max(0, index - 1)] : channels[index]
        cost.resnet(size, in: inputs, out: channels[index], timeWidth: timeWidth)
        if downBlockTypes[index] == "CrossAttnDownBlock2D" { transformer(index) }
        skips.append(channels[index])
      }
      guard index < last else { continue }
      cost.convolution(size, in: channels[index], out: channels[index], kernel: 3, stride: 2)
      size = size.halved()
      sizes.append(size)
      skips.append(channels[index])
    }
    cost.resnet(size, in: channels[last], out: channels[last], timeWidth: timeWidth)
    transformer(last)
    cost.resnet(size, in: channels[last], out: channels[last], timeWidth: timeWidth)
    var current = channels[last]
    for place in channels.indices {
      let index = last - place
      for _ in 0...layersPerBlock[index] {
        cost.resnet(size, in: current + skips.removeLast(), out: channels[index], timeWidth: timeWidth)
        current = channels[index]
        if upBlockTypes[place] == "CrossAttnUpBlock2D" { transformer(index) }
      }
      guard index > 0 else { continue }
      size = sizes[index - 1]
      cost.convolution(size, in: current, out: current, kernel: 3)
    }
    cost.norm(channels[0])
    cost.convolution(size, in: channels[0], out: outChannels, kernel: convOutKernel)
    return cost
  }

  private func addTransformer(
    _ cost: inout NetworkCost, _ size: NetworkCost.Picture, _ width: Int, layers: Int, tokens: Int
  ) {
    let positions = size.height * size.width, rows = size.positions, texts = size.batch * tokens
    cost.norm(width)
    cost.linear(rows: rows, in: width, out: width)
    for _ in 0..<layers {
      for (keys, keyRows, context) in [(positions, rows, width), (tokens, texts, crossAttentionWidth)] {
        cost.norm(width)
        cost.linear(rows: rows, in: width, out: width, bias: false)
        for _ in 0..<2 { cost.linear(rows: keyRows, in: context, out: width, bias: false) }
        cost.attention(batch: size.batch, queries: positions, keys: keys, width: width)
        cost.linear(rows: rows, in: width, out: width)
      }
      cost.norm(width)
      cost.linear(rows: rows, in: width, out: 8 * width)
      cost.linear(rows: rows, in: 4 * width, out: width)
    }
    cost.linear(rows: rows, in: width, out: width)
  }
}

extension AutoencoderConfiguration {
  /// Decoding `batch` latents of a side of `latent`.
  package func decodingCost(batch: Int, latent: Int) -> NetworkCost {
    var cost = NetworkCost(), size = NetworkCost.Picture(batch: batch, height: latent, width: latent)
    let channels = Array(blockOutChannels.reversed()), last = channels.count - 1
    if postQuantConv { cost.convolution(size, in: latentChannels, out: latentChannels, kernel: 1) }
    cost.convolution(size, in: latentChannels, out: channels[0], kernel: 3)
    addMiddle(&cost, size)
    for index in channels.indices {
      for layer in 0...layersPerBlock {
        let inputs = layer == 0 ? channels[max(0, index - 1)] : channels[index]
        cost.resnet(size, in: inputs, out: channels[index], timeWidth: nil)
      }
      guard index < last else { continue }
      size = size.doubled()
      cost.convolution(size, in: channels[index], out: channels[index], kernel: 3)
    }
    cost.norm(channels[last])
    cost.convolution(size, in: channels[last], out: outChannels, kernel: 3)
    return cost
  }

  /// Encoding `batch` pictures that give latents of a side of `latent`.
  package func encodingCost(batch: Int, latent: Int) -> NetworkCost {
    let side = latent * reduction, channels = blockOutChannels, last = channels.count - 1
    var cost = NetworkCost(), size = NetworkCost.Picture(batch: batch, height: side, width: side)
    cost.convolution(size, in: inChannels, out: channels[0], kernel: 3)
    for index in channels.indices {
      for layer in 0..<layersPerBlock {
        let inputs = layer == 0 ? channels[max(0, index - 1)] : channels[index]
        cost.resnet(size, in: inputs, out: channels[index], timeWidth: nil)
      }
      guard index < last else { continue }
      cost.convolution(size, in: channels[index], out: channels[index], kernel: 3, stride: 2)
      size = size.halved()
    }
    addMiddle(&cost, size)
    cost.norm(channels[last])
    cost.convolution(size, in: channels[last], out: 2 * latentChannels, kernel: 3)
    if quantConv { cost.convolution(size, in: 2 * latentChannels, out: 2 * latentChannels, kernel: 1) }
    return cost
  }

  private func addMiddle(_ cost: inout NetworkCost, _ size: NetworkCost.Picture) {
    let width = blockOutChannels[blockOutChannels.count - 1], positions = size.height * size.width
    cost.resnet(size, in: width, out: width, timeWidth: nil)
    if midBlockAttention {
      cost.norm(width)
      for _ in 0..<4 { cost.linear(rows: size.positions, in: width, out: width) }
      cost.attention(batch: size.batch, queries: positions, keys: positions, width: width)
    }
    cost.resnet(size, in: width, out: width, timeWidth: nil)
  }
}

extension AutoencoderTinyConfiguration {
  /// Decoding `batch` latents of a side of `latent`.
  package func decodingCost(batch: Int, latent: Int) -> NetworkCost {
    var cost = NetworkCost(), size = NetworkCost.Picture(batch: batch, height: latent, width: latent)
    cost.convolution(size, in: latentChannels, out: width, kernel: 3)
    for (stage, count) in decoderBlocks.enumerated() {
      for _ in 0..<3 * count { cost.convolution(size, in: width, out: width, kernel: 3) }
      let isLast = stage == decoderBlocks.count - 1
      if !isLast { size = size.doubled() }
      cost.convolution(size, in: width, out: isLast ? outChannels : width, kernel: 3, bias: isLast)
    }
    return cost
  }

  /// Encoding `batch` pictures that give latents of a side of `latent`.
  package func encodingCost(batch: Int, latent: Int) -> NetworkCost {
    let side = latent << (encoderBlocks.count - 1)
    var cost = NetworkCost(), size = NetworkCost.Picture(batch: batch, height: side, width: side)
    for (stage, count) in encoderBlocks.enumerated() {
      let isFirst = stage == 0
      cost.convolution(
        size, in: isFirst ? inChannels : width, out: width, kernel: 3, stride: isFirst ? 1 : 2, bias: isFirst)
      if !isFirst { size = size.halved() }
      for _ in 0..<3 * count { cost.convolution(size, in: width, out: width, kernel: 3) }
    }
    cost.convolution(size, in: width, out: latentChannels, kernel: 3)
    return cost
  }
}

extension CLIPTextConfiguration {
  /// Encoding `batch` prompts of `tokens` tokens.
  package func cost(batch: Int, tokens: Int) -> NetworkCost {
    var cost = NetworkCost()
    let width = tower.width, rows = batch * tokens
    cost.parameters += (vocabularySize + maximumLength) * width
    for _ in 0..<tower.layers {
      for _ in 0..<4 { cost.linear(rows: rows, in: width, out: width) }
      cost.attention(batch: batch, queries: tokens, keys: tokens, width: width)
      cost.norm(width)
      cost.norm(width)
      cost.linear(rows: rows, in: width, out: tower.intermediateWidth)
      cost.linear(rows: rows, in: tower.intermediateWidth, out: width)
    }
    cost.norm(width)
    return cost
  }
}
