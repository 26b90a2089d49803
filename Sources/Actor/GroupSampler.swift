// Samples the groups of assignments with a model and decodes the pictures to score. All random numbers of a group
// follow from the seed of the run and the number of the assignment, so a group does not depend on the actor that
// samples it.

package import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
package import Messages
package import Models

/// Samples groups with one model. Not Sendable: it belongs to the compute thread.
package final class GroupSampler: GroupSource {
  private let model: TextToImageModel
  private let sampler: DualStateSampler
  private let settings: SamplingSettings
  private let loraAlpha: Float
  /// The text encoder's states of prompts, `[1, S, D]`.
  private var promptStates = PromptCache<Tensor>(limit: 4096)
  private var empty: Tensor?
  private(set) var policyVersion: Int?

  /// Loads the model, and the decoder for rewards if one is configured.
  ///
  /// - Parameter loaded: A model that is already in memory; nil loads the configured one.
  /// - Throws: An error that names the file or the setting.
  package init(_ configuration: Configuration, model loaded: TextToImageModel? = nil) throws {
    let folder = URL(filePath: configuration.run.model)
    if loaded == nil {
      try TextToImageModel.requireMemory(
        folder: folder, samples: configuration.sampling.batchSize * configuration.sampling.groupSize,
        advice: "Lower sampling.batchSize, or use a machine with more memory.")
    }
    model = try loaded ?? TextToImageModel(folder: folder)
    let decoder = configuration.sampling.rewardDecoder
    if !decoder.isEmpty { try model.useTinyDecoder(URL(filePath: decoder)) }
    settings = configuration.sampling
    loraAlpha = configuration.training.loraAlpha
    sampler = try DualStateSampler(
      DDIM(
        schedule: NoiseSchedule(folder: folder, spacing: NoiseSchedule.Spacing(settings.timestepSpacing)),
        steps: settings.steps, eta: settings.eta))
  }

  var modelHash: String { model.fingerprint }

  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws {
    do {
      let file = try SafetensorsFile(bytes: bytes, name: "policy \(version)")
      if let tensorCount, file.names.count != tensorCount {
        throw ActorError("policy \(version): expected \(tensorCount) tensors, found \(file.names.count)")
      }
      try model.unet.loadLoRA(file, alpha: loraAlpha)
      let bound = model.unet.loraParameters.count
      guard bound == file.names.count else {
        throw ActorError("policy \(version): expected to bind \(file.names.count) tensors, bound \(bound)")
      }
    } catch {
      throw ActorError(
        "\(error). This actor uses the model \(model.folder.path); use the model folder and release of the learner.")
    }
    policyVersion = version
  }

  /// - Parameter assignments: Assignments of the bound policy that all have the same `Assignment.form`.
  package func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup] {
    try Tape.withoutGradients {
      let groupSize = assignments[0].groupSize, branchStep = assignments[0].branchStep
      guard sampler.process.timesteps.indices.contains(branchStep) else {
        throw ActorError(
          "group \(assignments[0].number) branches at step \(branchStep), but this actor has sampling.steps: "
            + "\(sampler.process.timesteps.count). Start it with the configuration of the learner.")
      }
      let states = sampler.sample(
        groups: assignments.map { GroupNoise(seed: run.seed, number: $0.number) }, groupSize: groupSize,
        branchStep: branchStep, shape: model.latentShape, conditioning: try conditioning(assignments.map(\.prompt)),
        batchSize: settings.batchSize, denoiser: denoiser)
      return assignments.indices.map { index in
        draft(assignments[index], states, index * groupSize..<(index + 1) * groupSize, run: run)
      }
    }
  }

  private var denoiser: Denoiser {
    { [unet = model.unet] sample, timesteps, text in unet(sample, timesteps: timesteps, encoderHiddenStates: text) }
  }

  private func conditioning(_ prompts: [String]) throws -> Conditioning {
    let states = try promptStates.values(of: prompts) { unknown in try unknown.map { try model.encode([$0]) } }
    if settings.guidanceScale > 1, empty == nil { empty = try model.encode([""]) }
    return Conditioning(
      text: Tensor.concatenated(states, axis: 0), empty: empty, scale: settings.guidanceScale)
  }

  private func draft(
    _ assignment: Assignment, _ states: DualStates, _ rows: Range<Int>, run: RunIdentity
  ) -> DraftGroup {
    var scorings: [TrajectoryScoring] = []
    var trajectories: [Trajectory] = []
    // The clean states to decode. Those that the trajectories of a group share are decoded once.
    var decoded: [Tensor] = []
    var pictures: [Int] = []
    var shared: [Int: Int] = [:]
    for row in rows {
      let clean = states.cleanStates.slice(axis: 0, row..<row + 1).reshaped(Array(states.cleanStates.shape.dropFirst()))
      let scoring: TrajectoryScoring =
        assignment.finalScoreOnly
        ? .final(steps: sampler.process.timesteps.count) : .dense(LatentSimilarity(cleanStates: clean))
      scorings.append(scoring)
      for step in scoring.scoredSteps {
        let isShared = step <= assignment.branchStep
        pictures.append(isShared ? shared[step] ?? decoded.count : decoded.count)
        guard pictures.last == decoded.count else { continue }
        if isShared { shared[step] = decoded.count }
        decoded.append(clean.slice(axis: 0, step..<step + 1))
      }
      trajectories.append(
        Trajectory(
          states: states.states.slice(axis: 0, row..<row + 1).reshaped(Array(states.states.shape.dropFirst())),
          cleanStates: clean, logProbabilities: states.logProbabilities.slice(axis: 0, row..<row + 1).values,
          scores: [], denseRewards: [], anchorStep: scoring.anchor))
    }
    let group = TrajectoryGroup(
      runID: run.id, number: assignment.number, epoch: assignment.epoch, actor: run.actor,
      incarnation: run.incarnation, policyVersion: assignment.policyVersion, prompt: assignment.prompt, seed: run.seed,
      timesteps: sampler.process.timesteps, eta: settings.eta, guidanceScale: settings.guidanceScale,
      trajectories: trajectories)
    let images = model.decode(Tensor.concatenated(decoded, axis: 0)).rows(pictures)
    return DraftGroup(group: group, scorings: scorings, images: ImageBatch(images))
  }
}
