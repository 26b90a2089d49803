// transformers' CLIPTextModel, and CLIPTextModelWithProjection.

package import Engine
package import Foundation
package import Layers

/// The values of a CLIP text configuration that change the numbers.
package struct CLIPTextConfiguration: Sendable {
  package let tower: CLIPTowerConfiguration
  package let vocabularySize, maximumLength, endToken, projectionWidth: Int

  /// - Throws: `ModelConfigurationError` naming the first value that is missing or not supported.
  package init(_ c: ModelConfiguration) throws {
    try c.require("model_type", oneOf: .string("clip_text_model"))
    tower = try CLIPTowerConfiguration(c)
    vocabularySize = try c.integer("vocab_size")
    maximumLength = try c.integer("max_position_embeddings", 77)
    endToken = try c.integer("eos_token_id", 49407)
    projectionWidth = try c.integer("projection_dim", 512)
  }
}

package final class CLIPText {
  package let configuration: CLIPTextConfiguration
  package let parameters: [Parameter]
  private let tokens, positions: Embedding
  private let encoder: CLIPEncoder
  private let finalNorm: LayerNorm
  private let projection: Linear?

  /// Builds the tower at a place of a source, with a projection if there is a place for one; the caller finishes the
  /// source.
  init(_ c: CLIPTextConfiguration, at path: ParameterPath, projection: ParameterPath?) throws {
    configuration = c
    let embeddings = path["embeddings"]
    tokens = try Embedding(embeddings["token_embedding"], count: c.vocabularySize, width: c.tower.width)
    positions = try Embedding(
      embeddings["position_embedding"], count: c.maximumLength, width: c.tower.width, deviation: 0.01)
    encoder = try CLIPEncoder(path["encoder"], c.tower)
    finalNorm = try LayerNorm(path["final_layer_norm"], c.tower.width, epsilon: c.tower.epsilon)
    self.projection = try projection.map {
      try Linear($0, in: c.tower.width, out: c.projectionWidth, bias: false)
    }
    parameters = path.parameters.filter { !$0.name.hasPrefix("text_projection") }
      + (self.projection.map { [$0.weight] } ?? [])
  }

  /// Builds the text tower with open_clip's layout, at the checkpoint's root; the caller finishes the source.
  init(_ c: CLIPTextConfiguration, openCLIP root: ParameterPath) throws {
    configuration = c
    let width = c.tower.width
    tokens = try Embedding(root["token_embedding"], count: c.vocabularySize, width: width)
    positions = Embedding(weight: try root.parameter("positional_embedding", [c.maximumLength, width], .zeros))
    encoder = try CLIPEncoder(openCLIP: root["transformer"], c.tower)
    finalNorm = try LayerNorm(root["ln_final"], width, epsilon: c.tower.epsilon)
    let projection = try root.parameter("text_projection", [width, c.projectionWidth], .zeros)
    self.projection = Linear(name: projection.name, weight: projection.value.permuted([1, 0]))
    parameters = []
  }

  /// Builds a text encoder with weights from a source, under `text_model.` or without a prefix, whichever the
  /// checkpoint has.
  package convenience init(
    _ c: CLIPTextConfiguration, from source: ParameterSource, hasProjection: Bool = false
  ) throws {
    let bare = source.root["embeddings"]["token_embedding"].has("weight")
    try self.init(
      c, at: bare ? source.root : source.root["text_model"],
      projection: hasProjection ? source.root["text_projection"] : nil)
    try source.finish(ignoring: hasProjection ? ["position_ids"] : ["position_ids", "text_projection.weight"])
  }

  /// Loads `config.json` and the weights of a transformers folder.
  package convenience init(folder: URL, weights: WeightOrigin = .files, hasProjection: Bool = false) throws {
    let configuration = try CLIPTextConfiguration(ModelConfiguration(file: folder.appending(path: "config.json")))
    try self.init(configuration, from: weights.source(folder: folder, named: "model"), hasProjection: hasProjection)
  }

  /// Token ids, B rows of the same length S, to the last hidden states after the final norm, `[B, S, width]`.
  package func callAsFunction(_ inputIDs: [[Int]]) -> Tensor {
    let length = inputIDs.first?.count ?? 0
    check(
      length > 0 && length <= configuration.maximumLength && inputIDs.allSatisfy { $0.count == length },
      "CLIPText: rows of \(inputIDs.map(\.count)) tokens; expected equal lengths up to \(configuration.maximumLength)")
    let x = tokens(inputIDs.flatMap { $0 }).reshaped([inputIDs.count, length, configuration.tower.width])
    return finalNorm(encoder(x + positions(Array(0..<length)), causal: true))
  }

  /// The embeddings of texts, `[B, projectionWidth]`: the projected hidden state at the end token.
  package func embeddings(_ inputIDs: [[Int]]) -> Tensor {
    guard let projection else { fatalError("CLIPText: this checkpoint was loaded without its text_projection") }
    let hidden = self(inputIDs)
    let length = hidden.shape[1]
    let ends = inputIDs.enumerated().map { row, ids in row * length + endPosition(ids) }
    return projection(hidden.reshaped([-1, hidden.shape[2]]).rows(ends))
  }

  /// The position that transformers takes a text's embedding from: the first end token, or the largest id for
  /// checkpoints whose configuration says 2 (all those from before the field was corrected).
  private func endPosition(_ ids: [Int]) -> Int {
    if configuration.endToken == 2 { return ids.indices.max { ids[$0] < ids[$1] } ?? 0 }
    return ids.firstIndex(of: configuration.endToken) ?? 0
  }
}
