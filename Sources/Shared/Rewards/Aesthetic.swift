// The LAION aesthetic predictor: a linear stack on the unit-length image embedding of CLIP ViT-L/14.

package import Engine
package import Foundation
internal import Imaging
internal import Layers
internal import Models

/// A sequence of linear layers without activations (the published predictor has only dropout between them).
package final class AestheticHead {
  private let layers: [Linear]

  /// Reads `layers.N.weight` `[out, in]` and `layers.N.bias` `[out]`, in ascending N; the last layer has one output.
  package init(file: URL) throws {
    let weights = try SafetensorsFile(file)
    let numbers = weights.names.compactMap { name -> Int? in
      let parts = name.split(separator: ".")
      return parts.count == 3 && parts[0] == "layers" && parts[2] == "weight" ? Int(parts[1]) : nil
    }.sorted()
    let source = ParameterSource(checkpoint: weights)
    var inputs = numbers.first.flatMap { weights.shape(of: "layers.\($0).weight")?.last }
    layers = try numbers.map { number in
      let outputs = weights.shape(of: "layers.\(number).weight")?.first ?? 0
      let layer = try Linear(source.root["layers"][number], in: inputs ?? 0, out: outputs)
      inputs = outputs
      return layer
    }
    try source.finish()
    guard layers.last?.outputs == 1 else {
      throw ScorerError("\(file.path): the last linear layer must have one output, the score")
    }
  }

  package var inputs: Int { layers[0].inputs }

  /// Embeddings `[B, D]`, of any length, to scores `[B]`; differentiable.
  package func callAsFunction(_ embeddings: Tensor) -> Tensor {
    layers.reduce(embeddings.unitLength) { $1($0) }.reshaped([-1])
  }
}

/// A prediction of how much people like a picture, about 1 to 10.
package final class Aesthetic: DifferentiableScorer {
  static let declaration = RewardDeclaration("aesthetic", models: ["aesthetic", "aesthetic-head"]) {
    try Aesthetic(
      model: $0.model("aesthetic", for: "aesthetic"), head: $0.model("aesthetic-head", for: "aesthetic"))
  }

  package let name = "aesthetic"
  package let version: String
  private let vision: CLIPVision
  private let head: AestheticHead
  private let preprocessing: CLIPPreprocessing

  /// - Parameters:
  ///   - model: a transformers CLIPVisionModelWithProjection folder.
  ///   - head: see `AestheticHead`.
  package init(model: URL, head: URL) throws {
    vision = try CLIPVision(folder: model)
    self.head = try AestheticHead(file: head)
    guard self.head.inputs == vision.configuration.projectionWidth else {
      throw ScorerError(
        "\(head.path): takes embeddings of width \(self.head.inputs), but those of \(model.path) have "
          + "\(vision.configuration.projectionWidth)")
    }
    preprocessing = CLIPPreprocessing(size: vision.configuration.imageSize)
    version = try "aesthetic/1/" + fingerprint(ofWeightsIn: model) + "/" + fingerprint(of: head)
  }

  package func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    let pictures = try pictures(images, height: height, width: width, count: prompts.count)
    guard !pictures.isEmpty else { return [] }
    return Tape.withoutGradients { head(vision(preprocessing(pictures))) }.values.map { $0.isFinite ? $0 : nil }
  }

  package func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
    try requirePrompts(prompts, for: pixels)
    return head(vision(preprocessing(pixels: pixels)))
  }
}
