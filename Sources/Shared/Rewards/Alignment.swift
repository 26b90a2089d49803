// How well a picture shows its prompt: the cosine of CLIP's image and text embeddings (Radford et al., arXiv 2103.00020).

public import Engine
public import Foundation
internal import Imaging
internal import Models

/// Cosine similarity of picture and prompt, -1 to 1.
public final class Alignment: DifferentiableScorer {
  public let name = "alignment"
  public let version: String
  private let clip: CLIP
  private let tokenizer: Tokenizer
  private let preprocessing: CLIPPreprocessing
  /// Prompts come again and again: their unit embeddings, `[1, D]`.
  private var knownPrompts: [String: Tensor] = [:]
  /// Bounds the memory of `knownPrompts`.
  private static let mostPrompts = 10_000

  /// - Parameter folder: a transformers CLIPModel folder with its tokenizer.
  /// - Throws: when a file is missing or does not fit.
  public init(folder: URL) throws {
    clip = try CLIP(folder: folder)
    tokenizer = try Tokenizer(folder: folder, maximumLength: clip.text.configuration.maximumLength)
    preprocessing = CLIPPreprocessing(size: clip.vision.configuration.imageSize)
    version = try "alignment/1/" + fingerprint(ofWeightsIn: folder)
  }

  public func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    guard !prompts.isEmpty else { return [] }
    let seen = try imageEmbeddings(images: images, height: height, width: width, count: prompts.count)
    let said = try textEmbeddings(prompts)
    return Tape.withoutGradients { (seen * said).sum(axes: [1]) }.values.map { $0.isFinite ? $0 : nil }
  }

  public func scores(pixels: Tensor, prompts: [String]) throws -> Tensor {
    try requirePrompts(prompts, for: pixels)
    return (clip.vision(preprocessing(pixels: pixels)).unitLength * (try textEmbeddings(prompts))).sum(axes: [1])
  }

  /// Unit-length embeddings of N pictures of RGB bytes, `[N, D]`.
  ///
  /// - Throws: `ScorerError` when the number of bytes is not that of N pictures.
  public func imageEmbeddings(images: [UInt8], height: Int, width: Int, count: Int) throws -> Tensor {
    let pictures = try pictures(images, height: height, width: width, count: count)
    return Tape.withoutGradients { clip.vision(preprocessing(pictures)).unitLength }
  }

  /// Unit-length embeddings of texts, `[N, D]`.
  ///
  /// Texts that are too long are cut, as is usual for this score.
  public func textEmbeddings(_ prompts: [String]) throws -> Tensor {
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
