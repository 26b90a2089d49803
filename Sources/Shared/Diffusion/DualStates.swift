// Sampling that keeps both states of every step: the noisy one, and the clean one predicted from it (SDPO, arXiv
// 2411.11727, section 4.1). All noise comes from outside, so the same noise gives the same trajectories.

public import Engine

/// Trajectories of a batch of B samples over N steps.
public struct DualStates: Sendable {
  /// Noisy states, the initial one first: `[B, N + 1, C, H, W]`.
  public let states: Tensor
  /// Predicted clean states: `[B, N, C, H, W]`.
  public let cleanStates: Tensor
  /// Log-probabilities of the steps under the policy that took them: `[B, N]`.
  public let logProbabilities: Tensor

  public init(states: Tensor, cleanStates: Tensor, logProbabilities: Tensor) {
    self.states = states
    self.cleanStates = cleanStates
    self.logProbabilities = logProbabilities
  }

  /// Number of trajectories.
  public var count: Int { states.shape[0] }
}

/// Samples trajectories by DDIM with eta.
public struct DualStateSampler: Sendable {
  public let process: DDIM

  /// - Throws: `ScheduleError` when a step would have no noise.
  public init(_ process: DDIM) throws {
    try process.requireNoise()
    self.process = process
  }

  /// Samples a batch of G groups; no gradients are recorded. Trajectories of a group share prompt and initial state, so
  /// the network's first output, and with it the first clean state, is computed once for all of them.
  ///
  /// - Parameters:
  ///   - initial: the groups' noisiest states, `[G, C, H, W]`, standard normal.
  ///   - groupSize: trajectories a group.
  ///   - conditioning: the groups' text states, `[G, S, D]`.
  ///   - denoiser: the network.
  ///   - noise: standard normal `[G * groupSize, C, H, W]` for a step index, called once a step in ascending order.
  /// - Returns: `G * groupSize` trajectories, those of a group side by side.
  public func sample(
    initial: Tensor, groupSize: Int = 1, conditioning: Conditioning, denoiser: Denoiser, noise: (Int) -> Tensor
  ) -> DualStates {
    let ofGroups = (0..<initial.shape[0]).flatMap { [Int](repeating: $0, count: groupSize) }
    let everyone = groupSize == 1 ? conditioning : conditioning.rows(ofGroups)
    return Tape.withoutGradients {
      var states = [groupSize == 1 ? initial : initial.rows(ofGroups)]
      var cleanStates: [Tensor] = [], logProbabilities: [Tensor] = []
      for (index, timestep) in process.timesteps.enumerated() {
        let timesteps = [Int](repeating: timestep, count: ofGroups.count)
        let output: Tensor
        if index == 0 && groupSize > 1 {
          let once = [Int](repeating: timestep, count: initial.shape[0])
          output = conditioning.output(of: denoiser, sample: initial, timesteps: once).rows(ofGroups)
        } else {
          output = everyone.output(of: denoiser, sample: states[index], timesteps: timesteps)
        }
        let step = process.step(output: output, sample: states[index], timesteps: timesteps, noise: noise(index))
        states.append(step.previous)
        cleanStates.append(step.clean)
        logProbabilities.append(step.logProbability)
      }
      return DualStates(
        states: Self.transposed(states), cleanStates: Self.transposed(cleanStates),
        logProbabilities: Self.transposed(logProbabilities))
    }
  }

  /// Steps of `[B, ...]` to `[B, steps, ...]`.
  private static func transposed(_ steps: [Tensor]) -> Tensor {
    Tensor.concatenated(steps.map { $0.reshaped([$0.shape[0], 1] + $0.shape.dropFirst()) }, axis: 1)
  }
}

/// The random numbers of one trajectory group, a function of run seed and group number alone: which actor makes the
/// group, in which batch, makes no difference.
public struct GroupNoise: Sendable {
  private let stream: RandomStream

  /// - Parameters:
  ///   - seed: the run's.
  ///   - number: the group's, unique in the run.
  public init(seed: UInt64, number: Int) {
    stream = RandomStream(seed: seed).fork("group", number)
  }

  /// The noisiest state, which all trajectories of the group share, standard normal, of a shape as `[C, H, W]`.
  public func initial(_ shape: [Int]) -> Tensor {
    var stream = stream.fork("initial")
    return stream.normal(shape)
  }

  /// The noise of one step of one trajectory, standard normal, of a shape as `[C, H, W]`.
  public func step(_ step: Int, trajectory: Int, _ shape: [Int]) -> Tensor {
    var stream = stream.fork("step", trajectory, step)
    return stream.normal(shape)
  }
}

extension DualStateSampler {
  /// Samples groups of trajectories that share prompt and initial state and differ by later noise.
  ///
  /// The network sees `batchSize` groups at a time, always: the last batch is filled up with its last group. Products of
  /// another size may round another way, and so a group's content does not depend on those it was sampled with.
  ///
  /// - Parameters:
  ///   - groups: the groups' random numbers, G of them.
  ///   - groupSize: trajectories a group.
  ///   - shape: a state's, `[C, H, W]`.
  ///   - conditioning: one prompt a group, `[G, S, D]`.
  ///   - batchSize: groups at a time; nil takes all of them at once.
  ///   - denoiser: the network.
  /// - Returns: `G * groupSize` trajectories, those of a group side by side.
  public func sample(
    groups: [GroupNoise], groupSize: Int, shape: [Int], conditioning: Conditioning, batchSize: Int? = nil,
    denoiser: Denoiser
  ) -> DualStates {
    let size = batchSize ?? groups.count
    check(!groups.isEmpty && size > 0, "sample: \(groups.count) groups, batches of \(size)")
    let parts = stride(from: 0, to: groups.count, by: size).map { first -> DualStates in
      let filled = (first..<first + size).map { min($0, groups.count - 1) }
      let found = sample(
        batch: filled.map { groups[$0] }, groupSize: groupSize, shape: shape, conditioning: conditioning.rows(filled),
        denoiser: denoiser)
      return found.prefix(min(size, groups.count - first) * groupSize)
    }
    return DualStates(
      states: Tensor.concatenated(parts.map(\.states), axis: 0),
      cleanStates: Tensor.concatenated(parts.map(\.cleanStates), axis: 0),
      logProbabilities: Tensor.concatenated(parts.map(\.logProbabilities), axis: 0))
  }

  private func sample(
    batch: [GroupNoise], groupSize: Int, shape: [Int], conditioning: Conditioning, denoiser: Denoiser
  ) -> DualStates {
    let initial = Tensor.stacked(batch.map { $0.initial(shape) })
    return sample(initial: initial, groupSize: groupSize, conditioning: conditioning, denoiser: denoiser) { step in
      Tensor.stacked(batch.flatMap { group in (0..<groupSize).map { group.step(step, trajectory: $0, shape) } })
    }
  }
}

extension DualStates {
  /// The first `count` trajectories.
  fileprivate func prefix(_ count: Int) -> DualStates {
    DualStates(
      states: states.slice(axis: 0, 0..<count), cleanStates: cleanStates.slice(axis: 0, 0..<count),
      logProbabilities: logProbabilities.slice(axis: 0, 0..<count))
  }
}
