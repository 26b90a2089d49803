// A stored group as a replay lists it, without its states.

internal import Messages

/// What the index knows of a stored group.
package struct ReplayEntry: Sendable, Equatable {
  /// Unique in the run.
  package let number: Int
  /// The epoch it was assigned for.
  package let epoch: Int
  /// The policy it was sampled from.
  package let policyVersion: Int
  /// What it was to show.
  package let prompt: String
  /// Who made it.
  package let actor: String
  /// Which life of that actor.
  package let incarnation: Int
  /// Trajectories in the group.
  package let trajectoryCount: Int
  /// Of the encoded message.
  package let byteCount: Int
  /// All scores of all trajectories are there.
  package let isScored: Bool
  /// By reward: the mean score of the trajectories' last scored states, where there are any.
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
