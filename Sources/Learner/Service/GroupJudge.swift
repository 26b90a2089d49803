// The judgement of a trajectory group. Every group is judged once before it is stored, and groups that an earlier
// incarnation of the learner stored are judged when the replay is opened. Training relies on it.

package import Messages
internal import Training

package enum GroupVerdict: Sendable, Equatable {
  case accepted
  /// It is stored already, or its epoch is trained: acknowledge it.
  case duplicate
  case refused(String)
  /// Refuse the group and its actor, for this reason: the actor would sample every group in this way.
  case incompatible(String)
}

package struct GroupJudge: Sendable {
  private let runID: String
  private let objection: @Sendable (TrajectoryGroup) -> String?

  /// - Parameter objection: why training cannot use a group; nil when it can.
  package init(runID: String, objection: @escaping @Sendable (TrajectoryGroup) -> String?) {
    self.runID = runID
    self.objection = objection
  }

  package func verdict(on group: TrajectoryGroup, _ plan: WorkPlan) -> GroupVerdict {
    let number = group.number
    if group.runID != runID { return .refused("group \(number): expected run \(runID), found \(group.runID)") }
    if plan.isSettled(number) { return .duplicate }
    if !plan.isOpen(number) { return .refused("group \(number) was not assigned") }
    if let difference = plan.difference(of: group) { return .refused("group \(number): \(difference)") }
    let versions = plan.policyVersions(ofEpoch: group.epoch)
    guard versions.contains(group.policyVersion) else {
      return .refused("group \(number): expected policy \(versions), found \(group.policyVersion)")
    }
    return objection(group).map { .incompatible($0) } ?? .accepted
  }

  /// Judges a group that is stored. Its policy may be older than the configuration allows now.
  ///
  /// - Throws: `TrainingError` when the group was sampled with another configuration.
  package func requireTrainable(_ group: TrajectoryGroup, _ plan: WorkPlan, in folder: String) throws {
    guard let reason = plan.difference(of: group) ?? objection(group) else { return }
    throw TrainingError(
      "\(folder): stored group \(group.number) was sampled with another configuration: \(reason). Resume with the run's "
        + "own configuration, or choose another run folder.")
  }
}
