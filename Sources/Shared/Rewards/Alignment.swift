// How well a picture shows its prompt: the cosine of CLIP's image and text embeddings (Radford et al., arXiv
// 2103.00020), as it is or as published scores scale it.

package import Engine
package import Foundation
internal import Imaging
internal import Models

/// A score made of the cosine of CLIP's embeddings of picture and prompt.
package final class Alignment: DifferentiableScorer {
  /// What becomes of the cosine.
  package enum Formula: String, Sendable {
    /// The cosine itself, -1 to 1: `alignment`, and HPSv2 (Wu et al., arXiv 2306.09341, and its published code).
    case cosine
    /// max(100 cosine, 0), as CLIPScore is usually reported (Hessel et al., arXiv 2104.08718, without its factor 2.5).
    case percent
    /// e^t cosine, t the model's learned `logit_scale`: PickScore (Kirstain et al., arXiv 2305.01569, equation 1).
    case scaled
  }

  static let alignment = RewardDeclaration("alignment") {
    try Alignment(folder: $0.alignmentModel(for: "alignment"))
  }
  static let clipScore = declaration("clip-score", .percent)
  static let pickScore = declaration("pick-score", .scaled)
  static let hpsv2 = declaration("hpsv2", .cosine)

  /// A reward with a CLIP model of its own, under its own name in `reward.models`.
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
  /// Prompts come again and again: their unit embeddings, `[1, D]`.
  private var knownPrompts: [String: Tensor] = [:]
  /// Bounds the memory of `knownPrompts`.
  private static let mostPrompts = 10_000

  /// - Parameters:
  ///   - folder: a transformers CLIPModel folder with its tokenizer, or an open_clip folder with one.
  ///   - name: the reward's.
  ///   - formula: what becomes of the cosine.
  /// - Throws: when a file is missing or does not fit.
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
  ///
  /// - Throws: `ScorerError` when the number of bytes is not that of N pictures.
  package func imageEmbeddings(images: [UInt8], height: Int, width: Int, count: Int) throws -> Tensor {
    let pictures = try pictures(images, height: height, width: width, count: count)
    return Tape.withoutGradients { clip.vision(preprocessing(pictures)).unitLength }
  }

  /// Unit-length embeddings of texts, `[N, D]`.
  ///
  /// Texts that are too long are cut, as is usual for this score.
  package func textEmbeddings(_ prompts: [String]) throws -> Tensor {
    let unknown = Set(prompts).subtracting(knownPrompts.keys).sorted()
    if !unknown.isEmpty {
      if knownPrompts.count + unknown.count > Self.mostPrompts { knownPrompts = [:] }
      let wanted = knownPrompts.isEmpty ? Set(prompts).sorted() : unknown
      let ids = try wanted.map { try tokenizer.encode($0, truncating: true) }
      let found = Tape.withoutGradients { clip.text.embeddings(ids).unitLength }
      for (row, prompt) in wanted.enumerated() { knownPrompts[prompt] = found.slice(axis: 0, row..<row + 1) }
    }
    return Tensor.concatenated(prompts.map { knownPrompts[$0]! }, axis: 0)
  }
}
