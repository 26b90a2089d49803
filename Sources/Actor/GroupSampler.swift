// The actor's work: assignments and a policy in, sampled groups and pictures to be scored out. Every random number
// follows from the run's seed and the assignment's number, so who makes a group changes nothing in it.

package import Configuration
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
package import Messages
package import Models

/// Samples groups with one model. Not Sendable: the compute thread makes it and uses it.
package final class GroupSampler: GroupSource {
  private let model: TextToImageModel
  private let sampler: DualStateSampler
  private let settings: SamplingSettings
  private let loraAlpha: Float
  private var knownPrompts: [String: Tensor] = [:]
  private var empty: Tensor?
  /// The policy that is bound; nil before the first.
  private(set) var policyVersion: Int?

  /// Loads the model, and the decoder for rewards where one is configured.
  ///
  /// - Parameter loaded: the model, where it is in memory already; nil loads the configured one.
  /// - Throws: errors that name the file or setting and what was expected.
  package init(_ configuration: Configuration, model loaded: TextToImageModel? = nil) throws {
    let folder = URL(filePath: configuration.run.model)
    if loaded == nil {
      try TextToImageModel.requireMemory(
        folder: folder, samples: configuration.sampling.batchSize * configuration.sampling.groupSize,
        advice: "Lower sampling.batchSize, or take a machine with more memory.")
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

  /// Names the model among all.
  var modelHash: String { model.fingerprint }

  /// Binds a policy: every one of its tensors, or none.
  ///
  /// - Parameter tensorCount: what the learner announced; nil when no announcement reached this actor.
  /// - Throws: `ActorError` when a tensor would stay unbound, or the file does not fit the model.
  func bind(_ bytes: [UInt8], version: Int, tensorCount: Int?) throws {
    do {
      let file = try SafetensorsFile(bytes: bytes, name: "policy \(version)")
      if let tensorCount, file.names.count != tensorCount {
        throw ActorError("policy \(version): expected \(tensorCount) tensors, found \(file.names.count).")
      }
      try model.unet.loadLoRA(file, alpha: loraAlpha)
      let bound = model.unet.loraParameters.count
      guard bound == file.names.count else {
        throw ActorError("policy \(version): expected to bind \(file.names.count) tensors, bound \(bound).")
      }
    } catch {
      throw ActorError(
        "\(error) This actor's model is \(model.folder.path); give it the learner's model folder and release.")
    }
    policyVersion = version
  }

  /// Samples the groups of a batch of assignments, all of the bound policy and one form (`Assignment.form`).
  ///
  /// - Throws: when a prompt is too long for the model.
  package func sample(_ assignments: [Assignment], run: RunIdentity) throws -> [DraftGroup] {
    try Tape.withoutGradients {
      let groupSize = assignments[0].groupSize, branchStep = assignments[0].branchStep
      guard sampler.process.timesteps.indices.contains(branchStep) else {
        throw ActorError(
          "group \(assignments[0].number) branches at step \(branchStep), but sampling.steps is "
            + "\(sampler.process.timesteps.count) here; give the actor the learner's configuration.")
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
    // Prompts come again and again; the bound keeps a long list of them from filling the memory.
    if knownPrompts.count > 4096 { knownPrompts = [:] }
    for prompt in prompts where knownPrompts[prompt] == nil { knownPrompts[prompt] = try model.encode([prompt]) }
    if settings.guidanceScale > 1, empty == nil { empty = try model.encode([""]) }
    return Conditioning(
      text: Tensor.concatenated(prompts.map { knownPrompts[$0]! }, axis: 0), empty: empty, scale: settings.guidanceScale)
  }

  private func draft(
    _ assignment: Assignment, _ states: DualStates, _ rows: Range<Int>, run: RunIdentity
  ) -> DraftGroup {
    var scorings: [TrajectoryScoring] = []
    var trajectories: [Trajectory] = []
    // Clean states to be decoded, each once: trajectories of a group share those of the states that they share.
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

/// What is the same in all groups of an actor in a run.
package struct RunIdentity: Sendable, Equatable {
  let id: String
  let seed: UInt64
  let actor: String
  let incarnation: Int

  package init(id: String, seed: UInt64, actor: String, incarnation: Int) {
    (self.id, self.seed, self.actor, self.incarnation) = (id, seed, actor, incarnation)
  }
}
