// transformers' CLIPVisionModelWithProjection.

package import Engine
package import Foundation
package import Layers

/// The values of a CLIP vision configuration that change the numbers.
package struct CLIPVisionConfiguration: Sendable {
  package let tower: CLIPTowerConfiguration
  package let channels, imageSize, patchSize, projectionWidth: Int

  /// - Throws: `ModelConfigurationError` naming the first value that is missing or not supported.
  package init(_ c: ModelConfiguration) throws {
    tower = try CLIPTowerConfiguration(c)
    channels = try c.integer("num_channels", 3)
    imageSize = try c.integer("image_size", 224)
    patchSize = try c.integer("patch_size", 32)
    projectionWidth = try c.integer("projection_dim", 512)
  }
}

package final class CLIPVision {
  package let configuration: CLIPVisionConfiguration
  package let parameters: [Parameter]
  private let classEmbedding: Parameter
  private let patches: Conv2d
  private let positions: Embedding
  private let normIn, normOut: LayerNorm
  private let encoder: CLIPEncoder
  private let projection: Linear

  /// Builds the tower at `vision_model` and `visual_projection` under a place; the caller finishes the source.
  init(_ c: CLIPVisionConfiguration, at path: ParameterPath) throws {
    configuration = c
    let model = path["vision_model"], width = c.tower.width, embeddings = model["embeddings"]
    classEmbedding = try embeddings.parameter("class_embedding", [width], .normal(deviation: 0.02))
    patches = try Conv2d(
      embeddings["patch_embedding"], in: c.channels, out: width, kernel: c.patchSize, stride: c.patchSize,
      padding: Padding(0), bias: false)
    let side = c.imageSize / c.patchSize
    positions = try Embedding(embeddings["position_embedding"], count: side * side + 1, width: width)
    // Spelled like this in the checkpoint.
    normIn = try LayerNorm(model["pre_layrnorm"], width, epsilon: c.tower.epsilon)
    encoder = try CLIPEncoder(model["encoder"], c.tower)
    normOut = try LayerNorm(model["post_layernorm"], width, epsilon: c.tower.epsilon)
    projection = try Linear(path["visual_projection"], in: width, out: c.projectionWidth, bias: false)
    parameters = path.parameters
  }

  /// Builds the image tower with open_clip's layout, at `visual`; the caller finishes the source.
  init(_ c: CLIPVisionConfiguration, openCLIP visual: ParameterPath) throws {
    configuration = c
    let width = c.tower.width, side = c.imageSize / c.patchSize
    classEmbedding = try visual.parameter("class_embedding", [width], .zeros)
    patches = try Conv2d(
      visual["conv1"], in: c.channels, out: width, kernel: c.patchSize, stride: c.patchSize, padding: Padding(0),
      bias: false)
    positions = Embedding(weight: try visual.parameter("positional_embedding", [side * side + 1, width], .zeros))
    normIn = try LayerNorm(visual["ln_pre"], width, epsilon: c.tower.epsilon)
    encoder = try CLIPEncoder(openCLIP: visual["transformer"], c.tower)
    normOut = try LayerNorm(visual["ln_post"], width, epsilon: c.tower.epsilon)
    let projection = try visual.parameter("proj", [width, c.projectionWidth], .zeros)
    self.projection = Linear(name: projection.name, weight: projection.value.permuted([1, 0]))
    parameters = []
  }

  package convenience init(_ c: CLIPVisionConfiguration, from source: ParameterSource) throws {
    try self.init(c, at: source.root)
    try source.finish(ignoring: ["position_ids"])
  }

  /// Loads `config.json` and the weights of a transformers folder.
  package convenience init(folder: URL) throws {
    let configuration = try CLIPVisionConfiguration(ModelConfiguration(file: folder.appending(path: "config.json")))
    let weights = try SafetensorsFile(folder: folder, named: "model")
    try self.init(configuration, from: ParameterSource(checkpoint: weights))
  }

  /// Normalized pixels `[B, 3, S, S]` to embeddings `[B, projectionWidth]`.
  package func callAsFunction(_ pixels: Tensor) -> Tensor {
    let c = configuration
    check(
      pixels.rank == 4 && pixels.shape[1...] == [c.channels, c.imageSize, c.imageSize],
      "CLIPVision: pixels \(pixels.shape); expected [B, \(c.channels), \(c.imageSize), \(c.imageSize)]")
    let b = pixels.shape[0], width = c.tower.width
    let grid = patches(pixels.channelsLast).reshaped([b, -1, width])
    let head = classEmbedding.tensor.reshaped([1, 1, width]) + Tensor.zeros([b, 1, width])
    let x = Tensor.concatenated([head, grid], axis: 1) + positions.weight.tensor
    let hidden = encoder(normIn(x), causal: false)
    return projection(normOut(hidden.slice(axis: 1, 0..<1).reshaped([b, width])))
  }
}
