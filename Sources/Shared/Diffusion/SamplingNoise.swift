// The random numbers of sampling: one type for the trajectories that training learns from, one for pictures that are
// only looked at or measured. Neither depends on the batch or on the process that samples.

package import Engine

/// The random numbers of one trajectory group, a function of run seed and group number alone: it makes no difference
/// which actor samples the group, or in which batch.
package struct GroupNoise: Sendable {
  private let stream: RandomStream

  /// - Parameter number: the number of the group, unique in the run.
  package init(seed: UInt64, number: Int) { stream = RandomStream(seed: seed).fork("group", number) }

  /// The noisiest state, which all trajectories of the group share, standard normal, of a shape such as `[C, H, W]`.
  package func initial(_ shape: [Int]) -> Tensor {
    var stream = stream.fork("initial")
    return stream.normal(shape)
  }

  /// The noise of one step of one trajectory, standard normal, of a shape such as `[C, H, W]`.
  package func step(_ step: Int, trajectory: Int, _ shape: [Int]) -> Tensor {
    var stream = stream.fork("step", trajectory, step)
    return stream.normal(shape)
  }
}

/// The random numbers of one picture. No training data uses these streams.
package struct PictureNoise: Sendable {
  private let first, steps: RandomStream

  /// A picture for a user. `number` counts pictures or prompts under the seed of the user.
  package init(seed: UInt64, number: Int) {
    steps = RandomStream(seed: seed).fork("picture", number)
    first = steps.fork("initial")
  }

  /// A picture of a held-out prompt, the same for every policy of a run. `prompt` and `picture` are indices.
  package init(heldOut runSeed: UInt64, prompt: Int, picture: Int) {
    steps = RandomStream(seed: runSeed).fork("held-out").fork("picture", prompt, picture)
    first = steps.fork("initial", 0)
  }

  fileprivate func initial(_ shape: [Int]) -> Tensor {
    var stream = first
    return stream.normal(shape)
  }

  fileprivate func step(_ step: Int, _ shape: [Int]) -> Tensor {
    var stream = steps.fork("step", step)
    return stream.normal(shape)
  }
}

extension Collection<PictureNoise> {
  /// The noisiest states of a batch, standard normal, `[B, C, H, W]`, where one state has `shape`.
  package func initial(_ shape: [Int]) -> Tensor { Tensor.stacked(map { $0.initial(shape) }) }

  /// The noise of one step of a batch, standard normal, `[B, C, H, W]`, where one state has `shape`.
  package func step(_ step: Int, _ shape: [Int]) -> Tensor { Tensor.stacked(map { $0.step(step, shape) }) }
}
