// A stored group in the index of a replay, without its states.

internal import Messages

package struct ReplayEntry: Sendable, Equatable {
  package let number: Int
  package let epoch: Int
  package let policyVersion: Int
  package let prompt: String
  package let actor: String
  package let incarnation: Int
  package let trajectoryCount: Int
  package let byteCount: Int
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
    (self.number, self.epoch, self.policyVersion) = (number, epoch, policyVersion)
    (self.prompt, self.actor, self.incarnation) = (prompt, actor, incarnation)
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
