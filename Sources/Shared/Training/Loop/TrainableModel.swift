// The model whose adapter is trained, and its optimizer.

internal import Algorithms
package import Configuration
package import Diffusion
package import Engine
internal import Foundation
package import Layers
package import Models

/// The current epoch is abandoned because the run is being stopped; it is trained again when the run continues.
package struct Interruption: Error {}

/// Not Sendable: it belongs to the training thread.
package final class TrainableModel {
  package let model: TextToImageModel
  package let process: DDIM
  package let optimizer: AdamW
  package let settings: TrainingSettings
  /// All random numbers of training are forked from this stream.
  package let seed: RandomStream
  private let guidanceScale: Float
  /// The text encoder's states of prompts, `[1, S, D]`; 77 x 1024 of them are 300 kB per prompt.
  private var promptStates = PromptCache<Tensor>(limit: 2_000)
  package var isStopping: () -> Bool = { false }

  /// Loads the model, and adds a new adapter that does not change its output.
  ///
  /// - Parameters:
  ///   - loaded: a model in memory; nil loads the configured model.
  ///   - unitSize: samples per unit, to estimate the memory.
  /// - Throws: when the model cannot be loaded or the settings contradict each other.
  package init(_ configuration: Configuration, model loaded: TextToImageModel?, unitSize: Int) throws {
    settings = configuration.training
    seed = RandomStream(seed: configuration.run.seed)
    process = try configuration.samplingProcess()
    let folder = URL(filePath: configuration.run.model)
    if loaded == nil {
      try TextToImageModel.requireMemory(
        folder: folder, trained: settings.gradientCheckpointing ? 0 : settings.minibatchSize * unitSize,
        advice: "Set training.gradientCheckpointing, or lower training.minibatchSize and raise training.accumulation.")
    }
    model = try loaded ?? TextToImageModel(folder: folder)
    model.unet.usesGradientCheckpointing = settings.gradientCheckpointing
    try model.unet.addLoRA(
      rank: settings.loraRank, alpha: settings.loraAlpha, targets: settings.loraTargets, random: seed.fork("lora"))
    guidanceScale = configuration.sampling.guidanceScale
    optimizer = AdamW(
      parameters: model.unet.loraParameters, learningRate: settings.learningRate, beta1: settings.beta1,
      beta2: settings.beta2, epsilon: settings.epsilon, weightDecay: settings.weightDecay)
  }

  /// The text states of one prompt per sample, and the guidance of sampling.
  ///
  /// - Throws: when a prompt has too many tokens; `Interruption` when the run is being stopped, because every minibatch
  ///   starts here.
  package func conditioning(_ texts: [String]) throws -> Conditioning {
    if isStopping() { throw Interruption() }
    return Conditioning(
      text: Tensor.concatenated(try states(of: texts), axis: 0),
      empty: guidanceScale > 1 ? try states(of: [""])[0] : nil, scale: guidanceScale)
  }

  private func states(of prompts: [String]) throws -> [Tensor] {
    try promptStates.values(of: prompts) { unknown in
      try Tape.withoutGradients { try unknown.map { try model.encode([$0]) } }
    }
  }

  /// The network with its adapter.
  package func denoise(_ sample: Tensor, _ timesteps: [Int], _ text: Tensor) -> Tensor {
    model.unet(sample, timesteps: timesteps, encoderHiddenStates: text)
  }

  /// Makes one update with clipped gradients.
  ///
  /// - Throws: `TrainingError` when a gradient is not finite; the policy is unchanged then.
  package func update(_ gradients: Gradients, _ report: inout EpochReport) throws {
    if isStopping() { throw Interruption() }
    let (clipped, norm) = gradients.clipped(toNorm: settings.maximumGradientNorm, over: optimizer.parameters)
    guard norm.isFinite else {
      throw TrainingError(
        "epoch \(report.epoch), update \(report.updates): expected a finite gradient norm, found \(norm). Lower "
          + "training.learningRate and resume from the last checkpoint.")
    }
    optimizer.update(clipped)
    report.gradientNorms.append(norm)
    report.updates += 1
  }
}
