// A stored group in the index of a replay, without its states.

internal import Messages

/// A stored group in the index.
package struct ReplayEntry: Sendable, Equatable {
  /// Unique in the run.
  package let number: Int
  /// The epoch that it was assigned for.
  package let epoch: Int
  /// The policy that it was sampled from.
  package let policyVersion: Int
  package let prompt: String
  package let actor: String
  package let incarnation: Int
  package let trajectoryCount: Int
  /// Size of the encoded message.
  package let byteCount: Int
  /// Whether no trajectory lacks a score.
  package let isScored: Bool
  /// By reward: the mean over the trajectories of the score of the last scored state, without missing scores.
  package let rewards: [String: Float]

  init(_ group: TrajectoryGroup, byteCount: Int) {
    self.init(
      number: group.number, epoch: group.epoch, policyVersion: group.policyVersion, prompt: group.prompt,
      actor: group.actor, incarnation: group.incarnation, byteCount: byteCount, isScored: group.isScored,
      scores: group.trajectories.map(\.scores))
  }

  init(
    number: Int, epoch: Int, policyVersion: Int, prompt: String, actor: String, incarnation: Int, byteCount: Int,
    isScored: Bool, scores: [[Score]]
  ) {
    self.number = number
    self.epoch = epoch
    self.policyVersion = policyVersion
    self.prompt = prompt
    self.actor = actor
    self.incarnation = incarnation
    trajectoryCount = scores.count
    self.byteCount = byteCount
    self.isScored = isScored
    rewards = ReplayEntry.means(scores)
  }

  private static func means(_ scores: [[Score]]) -> [String: Float] {
    var values: [String: [Float]] = [:]
    for trajectory in scores {
      for (reward, ofReward) in Dictionary(grouping: trajectory, by: \.reward) {
        if let value = ofReward.max(by: { $0.step < $1.step })?.value { values[reward, default: []].append(value) }
      }
    }
    return values.mapValues { $0.reduce(0, +) / Float($0.count) }
  }
}
