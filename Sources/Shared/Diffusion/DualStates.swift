// Sampling that records both states of every step: the noisy one, and the clean one that is predicted from it (SDPO,
// arXiv 2411.11727, section 4.1).

package import Engine

/// Trajectories of a batch of B samples over N steps.
package struct DualStates: Sendable {
  /// Noisy states, the initial one first: `[B, N + 1, C, H, W]`.
  package let states: Tensor
  /// Predicted clean states: `[B, N, C, H, W]`.
  package let cleanStates: Tensor
  /// Log-probabilities of the steps under the policy that took them: `[B, N]`.
  package let logProbabilities: Tensor

  package var count: Int { states.shape[0] }

  fileprivate func prefix(_ count: Int) -> DualStates {
    DualStates(
      states: states.slice(axis: 0, 0..<count), cleanStates: cleanStates.slice(axis: 0, 0..<count),
      logProbabilities: logProbabilities.slice(axis: 0, 0..<count))
  }
}

package struct DualStateSampler: Sendable {
  package let process: DDIM

  /// - Throws: `ScheduleError` when a step would have no noise.
  package init(_ process: DDIM) throws {
    try process.requireNoise()
    self.process = process
  }

  /// Samples a batch, with the parameters of `SamplingProcess.sample`.
  package func sample(
    initial: Tensor, conditioning: Conditioning, branching: Branching? = nil, denoiser: Denoiser,
    noise: (Int) -> Tensor
  ) -> DualStates {
    var noisy = [initial], clean: [Tensor] = [], logProbabilities: [Tensor] = []
    process.sample(
      initial: initial, conditioning: conditioning, branching: branching, denoiser: denoiser, noise: noise
    ) { _, _, step, _ in
      noisy.append(step.previous)
      clean.append(step.clean)
      logProbabilities.append(step.logProbability)
    }
    /// Steps of `[B, ...]` to `[B, steps, ...]`; steps before the branching are repeated for every branch.
    func joined(_ steps: [Tensor], before branch: Int) -> Tensor {
      let rows = steps.enumerated().map { step, values in
        step < branch ? branching.map { values.rows($0.sources) } ?? values : values
      }
      return Tensor.concatenated(rows.map { $0.reshaped([$0.shape[0], 1] + $0.shape.dropFirst()) }, axis: 1)
    }
    let branch = branching?.step ?? 0
    return DualStates(
      states: joined(noisy, before: branch + 1), cleanStates: joined(clean, before: branch),
      logProbabilities: joined(logProbabilities, before: branch))
  }

  /// Samples groups of trajectories that share their prompt and all states up to a step, and differ by later noise. Up
  /// to that step the network is evaluated once per group.
  ///
  /// The network always sees `batchSize` groups at a time: the last batch is filled up with its last group. Products
  /// of another size may round differently, so this keeps a group's content independent of the groups that it was
  /// sampled with.
  ///
  /// - Parameters:
  ///   - groups: the groups' random numbers, G of them.
  ///   - groupSize: trajectories per group.
  ///   - branchStep: trajectories share the states 0...branchStep; 0 means the initial one alone.
  ///   - shape: of one state, `[C, H, W]`.
  ///   - conditioning: one prompt per group, `[G, S, D]`.
  ///   - batchSize: groups at a time; nil takes all of them at once.
  /// - Returns: `G * groupSize` trajectories, those of a group next to each other.
  package func sample(
    groups: [GroupNoise], groupSize: Int, branchStep: Int = 0, shape: [Int], conditioning: Conditioning,
    batchSize: Int? = nil, denoiser: Denoiser
  ) -> DualStates {
    let size = batchSize ?? groups.count
    check(
      !groups.isEmpty && size > 0 && process.timesteps.indices.contains(branchStep),
      "sample: \(groups.count) groups, batches of \(size), branches at step \(branchStep)")
    let branching = Branching(
      step: branchStep, sources: (0..<size).flatMap { [Int](repeating: $0, count: groupSize) })
    let parts = stride(from: 0, to: groups.count, by: size).map { first -> DualStates in
      let filled = (first..<first + size).map { min($0, groups.count - 1) }, batch = filled.map { groups[$0] }
      let found = sample(
        initial: Tensor.stacked(batch.map { $0.initial(shape) }), conditioning: conditioning.rows(filled),
        branching: branching, denoiser: denoiser
      ) { step in
        let members = step < branchStep ? 1 : groupSize
        return Tensor.stacked(batch.flatMap { group in (0..<members).map { group.step(step, trajectory: $0, shape) } })
      }
      return found.prefix(min(size, groups.count - first) * groupSize)
    }
    return DualStates(
      states: Tensor.concatenated(parts.map(\.states), axis: 0),
      cleanStates: Tensor.concatenated(parts.map(\.cleanStates), axis: 0),
      logProbabilities: Tensor.concatenated(parts.map(\.logProbabilities), axis: 0))
  }
}
