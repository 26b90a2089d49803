// How well a picture shows its prompt: the cosine of CLIP's image and text embeddings (Radford et al., arXiv
// 2103.00020), or with the scale of published scores.

package import Engine
package import Foundation
internal import Imaging
internal import Models

/// A score from the cosine of CLIP's embeddings of picture and prompt.
package final class Alignment: DifferentiableScorer {
  /// How the score follows from the cosine.
  package enum Formula: String, Sendable {
    /// The cosine itself, -1 to 1: for `alignment`, and HPSv2 (Wu et al., arXiv 2306.09341, and its published code).
    case cosine
    /// max(100 cosine, 0): the way CLIPScore is usually reported (Hessel et al., arXiv 2104.08718, without its factor
    /// 2.5).
    case percent
    /// e^t cosine, where t is the learned `logit_scale` of the model: PickScore (Kirstain et al., arXiv 2305.01569,
    /// equation 1).
    case scaled
  }

  static let alignment = RewardDeclaration("alignment") {
    try Alignment(folder: $0.alignmentModel(for: "alignment"))
  }
  static let clipScore = declaration("clip-score", .percent)
  static let pickScore = declaration("pick-score", .scaled)
  static let hpsv2 = declaration("hpsv2", .cosine)

  /// A reward whose CLIP model has the name of the reward in `reward.models`.
  private static func declaration(_ name: String, _ formula: Formula) -> RewardDeclaration {
    RewardDeclaration(name, models: [name]) {
      try Alignment(folder: $0.model(name, for: name), name: name, formula: formula)
    }
  }

  package let name: String
  package let version: String
  private let formula: Formula
  private let clip: CLIP
  private let tokenizer: Tokenizer
  private let preprocessing: CLIPPreprocessing
  /// Unit-length embeddings of prompts, `[1, D]`.
  private var promptEmbeddings = PromptCache<Tensor>(limit: 10_000)

  /// - Parameter folder: a transformers CLIPModel folder or an open_clip folder, with a tokenizer.
  package init(folder: URL, name: String = "alignment", formula: Formula = .cosine) throws {
    self.name = name
    self.formula = formula
    clip = try CLIP(folder: folder)
    tokenizer = try Tokenizer(folder: folder, maximumLength: clip.text.configuration.maximumLength)
    preprocessing = CLIPPreprocessing(size: clip.vision.configuration.imageSize)
    version = try "\(name)/1/" + fingerprint(ofWeightsIn: folder)
  }

  package func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    guard !prompts.isEmpty else { return [] }
    let seen = try imageEmbeddings(images: images, height: height, width: width, count: prompts.count)
    let said = try textEmbeddings(prompts)
    return Tape.withoutGradients { score((seen * said).sum(axes: [1])) }.values.map { $0.isFinite ? $0 : nil }
  }

  private func score(_ cosines: Tensor) -> Tensor {
    switch formula {
    case .cosine: cosines
    case .percent: (cosines * 100).relu()
    case .scaled: cosines * clip.logitScale.value.detached.exp().item
    }
  }

  package func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
    try requirePrompts(prompts, for: pixels)
    let said = try textEmbeddings(prompts)
    return score((clip.vision(preprocessing(pixels: pixels)).unitLength * said).sum(axes: [1]))
  }

  /// Unit-length embeddings of N pictures of RGB bytes, `[N, D]`.
  package func imageEmbeddings(images: [UInt8], height: Int, width: Int, count: Int) throws -> Tensor {
    let pictures = try pictures(images, height: height, width: width, count: count)
    return Tape.withoutGradients { clip.vision(preprocessing(pictures)).unitLength }
  }

  /// Unit-length embeddings of texts, `[N, D]`. Long texts are truncated, as is usual for this score.
  private func textEmbeddings(_ prompts: [String]) throws -> Tensor {
    let embeddings = try promptEmbeddings.values(of: prompts) { unknown in
      let ids = try unknown.map { try tokenizer.encode($0, truncating: true) }
      let found = Tape.withoutGradients { clip.text.embeddings(ids).unitLength }
      return unknown.indices.map { found.slice(axis: 0, $0..<$0 + 1) }
    }
    return Tensor.concatenated(embeddings, axis: 0)
  }
}
