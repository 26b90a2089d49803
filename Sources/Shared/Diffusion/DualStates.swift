// Sampling that keeps both states of every step: the noisy one, and the clean one predicted from it (SDPO, arXiv
// 2411.11727, section 4.1). All noise comes from outside, so the same noise gives the same trajectories.

package import Engine

/// Trajectories of a batch of B samples over N steps.
package struct DualStates: Sendable {
  /// Noisy states, the initial one first: `[B, N + 1, C, H, W]`.
  package let states: Tensor
  /// Predicted clean states: `[B, N, C, H, W]`.
  package let cleanStates: Tensor
  /// Log-probabilities of the steps under the policy that took them: `[B, N]`.
  package let logProbabilities: Tensor

  package init(states: Tensor, cleanStates: Tensor, logProbabilities: Tensor) {
    self.states = states
    self.cleanStates = cleanStates
    self.logProbabilities = logProbabilities
  }

  /// Number of trajectories.
  package var count: Int { states.shape[0] }
}

/// Samples trajectories by DDIM with eta.
package struct DualStateSampler: Sendable {
  package let process: DDIM

  /// - Throws: `ScheduleError` when a step would have no noise.
  package init(_ process: DDIM) throws {
    try process.requireNoise()
    self.process = process
  }

  /// Samples a batch; no gradients are recorded.
  ///
  /// - Parameters:
  ///   - initial: the noisiest states, `[B, C, H, W]`, standard normal.
  ///   - conditioning: the prompts' text states, `[B, S, D]`.
  ///   - denoiser: the network.
  ///   - noise: standard normal `[B, C, H, W]` for a step index, called once a step in ascending order.
  package func sample(
    initial: Tensor, conditioning: Conditioning, denoiser: Denoiser, noise: (Int) -> Tensor
  ) -> DualStates {
    Tape.withoutGradients {
      var walk = Walk(initial)
      for index in process.timesteps.indices {
        walk.take(process, output(at: index, walk.state, conditioning, denoiser), noise: noise(index))
      }
      return walk.states
    }
  }

  private func output(at index: Int, _ state: Tensor, _ conditioning: Conditioning, _ denoiser: Denoiser) -> Tensor {
    conditioning.output(
      of: denoiser, sample: state, timesteps: [Int](repeating: process.timesteps[index], count: state.shape[0]))
  }

  /// A batch on its way: what has been passed so far.
  private struct Walk {
    private var noisy: [Tensor]
    private var clean: [Tensor] = []
    private var logProbabilities: [Tensor] = []

    init(_ initial: Tensor) { noisy = [initial] }

    var state: Tensor { noisy[noisy.count - 1] }

    /// Takes the next step of the process from the network's output.
    mutating func take(_ process: DDIM, _ output: Tensor, noise: Tensor) {
      let timesteps = [Int](repeating: process.timesteps[clean.count], count: state.shape[0])
      let step = process.step(output: output, sample: state, timesteps: timesteps, noise: noise)
      noisy.append(step.previous)
      clean.append(step.clean)
      logProbabilities.append(step.logProbability)
    }

    /// Goes on with the samples of these indices.
    mutating func branch(_ indices: [Int]) {
      noisy = noisy.map { $0.rows(indices) }
      clean = clean.map { $0.rows(indices) }
      logProbabilities = logProbabilities.map { $0.rows(indices) }
    }

    var states: DualStates {
      DualStates(
        states: transposed(noisy), cleanStates: transposed(clean), logProbabilities: transposed(logProbabilities))
    }
  }
}

/// Steps of `[B, ...]` to `[B, steps, ...]`.
private func transposed(_ steps: [Tensor]) -> Tensor {
  Tensor.concatenated(steps.map { $0.reshaped([$0.shape[0], 1] + $0.shape.dropFirst()) }, axis: 1)
}

/// The random numbers of one trajectory group, a function of run seed and group number alone: which actor makes the
/// group, in which batch, makes no difference.
package struct GroupNoise: Sendable {
  private let stream: RandomStream

  /// - Parameters:
  ///   - seed: the run's.
  ///   - number: the group's, unique in the run.
  package init(seed: UInt64, number: Int) {
    stream = RandomStream(seed: seed).fork("group", number)
  }

  /// The noisiest state, which all trajectories of the group share, standard normal, of a shape as `[C, H, W]`.
  package func initial(_ shape: [Int]) -> Tensor {
    var stream = stream.fork("initial")
    return stream.normal(shape)
  }

  /// The noise of one step of one trajectory, standard normal, of a shape as `[C, H, W]`.
  package func step(_ step: Int, trajectory: Int, _ shape: [Int]) -> Tensor {
    var stream = stream.fork("step", trajectory, step)
    return stream.normal(shape)
  }
}

extension DualStateSampler {
  /// Samples groups of trajectories that share prompt and all states up to a step, and differ by later noise. Up to
  /// there the network is asked once a group.
  ///
  /// The network sees `batchSize` groups at a time, always: the last batch is filled up with its last group. Products
  /// of another size may round another way, and so a group's content does not depend on those it was sampled with.
  ///
  /// - Parameters:
  ///   - groups: the groups' random numbers, G of them.
  ///   - groupSize: trajectories a group.
  ///   - branchStep: trajectories share the states 0...branchStep; 0: the initial one alone.
  ///   - shape: a state's, `[C, H, W]`.
  ///   - conditioning: one prompt a group, `[G, S, D]`.
  ///   - batchSize: groups at a time; nil takes all of them at once.
  ///   - denoiser: the network.
  /// - Returns: `G * groupSize` trajectories, those of a group side by side.
  package func sample(
    groups: [GroupNoise], groupSize: Int, branchStep: Int = 0, shape: [Int], conditioning: Conditioning,
    batchSize: Int? = nil, denoiser: Denoiser
  ) -> DualStates {
    let size = batchSize ?? groups.count
    check(
      !groups.isEmpty && size > 0 && process.timesteps.indices.contains(branchStep),
      "sample: \(groups.count) groups, batches of \(size), branches at step \(branchStep)")
    let parts = stride(from: 0, to: groups.count, by: size).map { first -> DualStates in
      let filled = (first..<first + size).map { min($0, groups.count - 1) }
      let found = sample(
        batch: filled.map { groups[$0] }, groupSize: groupSize, branchStep: branchStep, shape: shape,
        conditioning: conditioning.rows(filled), denoiser: denoiser)
      return found.prefix(min(size, groups.count - first) * groupSize)
    }
    return DualStates(
      states: Tensor.concatenated(parts.map(\.states), axis: 0),
      cleanStates: Tensor.concatenated(parts.map(\.cleanStates), axis: 0),
      logProbabilities: Tensor.concatenated(parts.map(\.logProbabilities), axis: 0))
  }

  private func sample(
    batch: [GroupNoise], groupSize: Int, branchStep: Int, shape: [Int], conditioning: Conditioning, denoiser: Denoiser
  ) -> DualStates {
    let repeated = batch.indices.flatMap { [Int](repeating: $0, count: groupSize) }
    let ofAll = conditioning.rows(repeated)
    return Tape.withoutGradients {
      var walk = Walk(Tensor.stacked(batch.map { $0.initial(shape) }))
      for step in process.timesteps.indices {
        var output = output(at: step, walk.state, step <= branchStep ? conditioning : ofAll, denoiser)
        if step == branchStep {
          walk.branch(repeated)
          output = output.rows(repeated)
        }
        let members = step < branchStep ? 1 : groupSize
        walk.take(
          process, output,
          noise: Tensor.stacked(batch.flatMap { group in (0..<members).map { group.step(step, trajectory: $0, shape) } }))
      }
      return walk.states
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
