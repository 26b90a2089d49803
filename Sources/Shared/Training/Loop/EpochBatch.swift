// The groups of an epoch that have all scores, in the order of their numbers, so that it does not matter which actor
// sampled them or when they arrived.

internal import Algorithms
internal import Engine
internal import Messages

struct EpochBatch {
  let groups: [TrajectoryGroup]
  /// Groups that were left out because they have no dense rewards.
  let unscored: Int
  /// Why groups were left out, for the log; nil where none was.
  let reasonLeftOut: String?

  /// - Parameter received: groups in any order, checked with `SamplingTerms`.
  init(_ received: [TrajectoryGroup]) {
    groups = received.filter(\.isScored).sorted { $0.number < $1.number }
    unscored = received.count - groups.count
    reasonLeftOut = unscored > 0 ? Self.reason(received.filter { !$0.isScored }) : nil
  }

  /// Names the rewards whose scores the groups lack, and how many.
  private static func reason(_ unscored: [TrajectoryGroup]) -> String {
    let scores = Dictionary(grouping: unscored.flatMap { $0.trajectories.flatMap(\.scores) }, by: \.reward)
    let missing = scores.mapValues { scores in scores.count { $0.value?.isFinite != true } }.filter { $1 > 0 }
    guard missing.isEmpty else {
      let lines = missing.keys.sorted().map { "\($0) (\(missing[$0]!) of \(scores[$0]!.count) scores)" }
      return "scores are missing: " + lines.joined(separator: ", ")
    }
    return "no dense rewards follow from their scores (of \(scores.keys.sorted().joined(separator: ", "))); check that "
      + "reward.weights names the rewards that the groups were scored with"
  }

  /// All trajectories, in the order of `groups`.
  var trajectories: [Trajectory] { groups.flatMap(\.trajectories) }

  var rewards: [GroupRewards] {
    groups.map { GroupRewards(prompt: $0.prompt, dense: $0.trajectories.map(\.denseRewards)) }
  }
}

/// The chosen units of an epoch, and tensors of their steps. Rows of `[G * M, ...]` tensors are ordered by member of a
/// unit, then by entry, where M is the number of entries.
struct UnitBatch {
  let groups: [TrajectoryGroup]
  let units: [TrainingUnit]
  /// Trajectories per unit, G; equal for all units.
  let unitSize: Int

  /// - Parameter units: at least one.
  init(_ groups: [TrajectoryGroup], _ units: [TrainingUnit]) {
    self.groups = groups
    self.units = units
    unitSize = units[0].members.count
  }

  /// One prompt per row, in the order of `states`.
  func prompts(_ entries: [UnitStep]) -> [String] { each(entries) { unit, _, _ in groups[unit.group].prompt } }

  /// States before or after the steps, `[G * M, C, H, W]`.
  ///
  /// - Parameter offset: 0 for the states before the steps, 1 for the states after them.
  func states(_ entries: [UnitStep], offset: Int) -> Tensor {
    Tensor.concatenated(
      each(entries) { unit, member, step in
        groups[unit.group].trajectories[unit.members[member]].states.slice(axis: 0, step + offset..<step + offset + 1)
      }, axis: 0)
  }

  /// For each row of `states(_:offset:)` with offset 0, the first row with the same state, step and prompt. The
  /// trajectories of a group share the initial state, and further states where they branch later.
  func firstAlike(_ entries: [UnitStep]) -> [Int] {
    (0..<unitSize).flatMap { member in
      entries.enumerated().map { index, entry in
        let unit = units[entry.unit], trajectories = groups[unit.group].trajectories
        let own = trajectories[unit.members[member]].states, first = trajectories[unit.members[0]].states
        return member > 0 && own.row(entry.step, equals: first) ? index : member * entries.count + index
      }
    }
  }

  /// Log-probabilities of the steps under the policy that sampled them, `[G, M]`.
  func behaviour(_ entries: [UnitStep]) -> Tensor {
    Tensor(
      each(entries) { unit, member, step in
        groups[unit.group].trajectories[unit.members[member]].logProbabilities[step]
      }, shape: [unitSize, entries.count])
  }

  /// Advantages of the steps, `[G, M]`.
  func advantages(_ entries: [UnitStep]) -> Tensor {
    Tensor(each(entries) { unit, member, step in unit.advantages[member][step] }, shape: [unitSize, entries.count])
  }

  private func each<Value>(_ entries: [UnitStep], _ value: (TrainingUnit, Int, Int) -> Value) -> [Value] {
    (0..<unitSize).flatMap { member in entries.map { value(units[$0.unit], member, $0.step) } }
  }
}
