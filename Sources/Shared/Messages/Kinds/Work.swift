// The distribution of work: actors request it, and the learner sends numbered assignments.

package struct WorkRequest: Sendable, Equatable {
  package static let mostGroups = 1 << 16

  /// Number of groups that the actor can accept in addition to those it holds.
  package var capacity: Int
  /// Numbers of the assignments that are in progress, or delivered and not yet acknowledged. Their leases are renewed.
  package var held: [Int]

  package init(capacity: Int, held: [Int] = []) {
    self.capacity = capacity
    self.held = held
  }
}

/// One trajectory group to sample. All random numbers of the group follow from the seed of the run and `number`.
package struct Assignment: Sendable, Equatable, Hashable {
  /// Consecutive in a run.
  package var number: Int
  package var epoch: Int
  package var prompt: String
  package var groupSize: Int
  package var policyVersion: Int
  /// The trajectories share all states up to this step; 0: the initial state only.
  package var branchStep: Int
  /// Whether the last clean state is scored only, instead of the first, the anchor and the last.
  package var finalScoreOnly: Bool

  package init(
    number: Int, epoch: Int, prompt: String, groupSize: Int, policyVersion: Int, branchStep: Int = 0,
    finalScoreOnly: Bool = false
  ) {
    (self.number, self.epoch, self.prompt, self.groupSize) = (number, epoch, prompt, groupSize)
    (self.policyVersion, self.branchStep, self.finalScoreOnly) = (policyVersion, branchStep, finalScoreOnly)
  }
}

extension Assignment {
  /// The properties that assignments must share to be sampled in one batch.
  package struct Form: Sendable, Equatable {
    package let groupSize: Int
    package let branchStep: Int
    package let finalScoreOnly: Bool
  }

  package var form: Form { Form(groupSize: groupSize, branchStep: branchStep, finalScoreOnly: finalScoreOnly) }
}

package struct Work: Sendable, Equatable {
  /// Empty: wait. The learner sends `Work` again, without a request, when there is some.
  package var assignments: [Assignment]

  package init(assignments: [Assignment]) { self.assignments = assignments }
}

/// The run is finished. The learner assigns and accepts nothing more.
package struct RunFinished: Sendable, Equatable {
  package var reason: String

  package init(reason: String) { self.reason = reason }
}

/// The learner has stored these groups on disk. The actor may discard them.
package struct Acknowledgement: Sendable, Equatable {
  package var numbers: [Int]

  package init(numbers: [Int]) { self.numbers = numbers }
}
