// Prompts come again in every epoch: their text states are computed once. The text encoder is never trained here.

internal import Diffusion
internal import Engine
internal import Models

/// The text encoder's states of prompts, remembered.
struct PromptStates {
  private let model: TextToImageModel
  private let guidanceScale: Float
  private var known: [String: Tensor] = [:]
  /// Bounds the memory: 77 x 1024 states are 300 kB a prompt.
  private static let most = 2_000

  init(model: TextToImageModel, guidanceScale: Float) {
    self.model = model
    self.guidanceScale = guidanceScale
  }

  /// One prompt a sample.
  ///
  /// - Throws: when a prompt has more tokens than the model takes.
  mutating func conditioning(_ prompts: [String]) throws -> Conditioning {
    Conditioning(
      text: Tensor.concatenated(try prompts.map { try states(of: $0) }, axis: 0),
      empty: guidanceScale > 1 ? try states(of: "") : nil, scale: guidanceScale)
  }

  private mutating func states(of prompt: String) throws -> Tensor {
    if let found = known[prompt] { return found }
    let found = try Tape.withoutGradients { try model.encode([prompt]) }
    if known.count >= Self.most { known = [:] }
    known[prompt] = found
    return found
  }
}
