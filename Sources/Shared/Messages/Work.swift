// The distribution of work: actors request it, and the learner sends numbered assignments.

internal import CMessages

/// An actor requests work.
package struct WorkRequest: Sendable, Equatable {
  /// The largest capacity of a request.
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
  /// The epoch that trains on the group.
  package var epoch: Int
  package var prompt: String
  /// Number of trajectories in the group.
  package var groupSize: Int
  /// Version of the policy to sample from.
  package var policyVersion: Int
  /// The trajectories share all states up to this step; 0: the initial state only.
  package var branchStep: Int
  /// Whether the last clean state is scored only, instead of the first, the anchor and the last.
  package var finalScoreOnly: Bool

  package init(
    number: Int, epoch: Int, prompt: String, groupSize: Int, policyVersion: Int, branchStep: Int = 0,
    finalScoreOnly: Bool = false
  ) {
    self.number = number
    self.epoch = epoch
    self.prompt = prompt
    self.groupSize = groupSize
    self.policyVersion = policyVersion
    self.branchStep = branchStep
    self.finalScoreOnly = finalScoreOnly
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

/// The learner's answer to a `WorkRequest`.
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
  /// Numbers of groups.
  package var numbers: [Int]

  package init(numbers: [Int]) { self.numbers = numbers }
}

extension WorkRequest: Coded {
  init(_ message: Stepwise__WorkRequest, _ path: FieldPath) throws {
    self.init(
      capacity: try path.number(message.capacity, "capacity", in: 0...WorkRequest.mostGroups),
      held: try path.numbers(message.held, message.n_held, "held"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__WorkRequest> {
    let message = arena.make(stepwise__work_request__init)
    message.pointee.capacity = UInt32(capacity)
    message.pointee.n_held = held.count
    message.pointee.held = arena.array(held.map { UInt64($0) })
    return message
  }
}

extension Assignment: Coded {
  init(_ message: Stepwise__Assignment, _ path: FieldPath) throws {
    self.init(
      number: try path.number(message.number, "number"), epoch: try path.number(message.epoch, "epoch"),
      prompt: try path.text(message.prompt, "prompt", mayBeEmpty: true),
      groupSize: try path.number(message.group_size, "group_size", in: 1...TrajectoryGroup.largestSize),
      policyVersion: try path.number(message.policy_version, "policy_version"),
      branchStep: try path.number(message.branch_step, "branch_step"), finalScoreOnly: message.final_score_only != 0)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Assignment> {
    let message = arena.make(stepwise__assignment__init)
    message.pointee.number = UInt64(number)
    message.pointee.epoch = UInt64(epoch)
    message.pointee.prompt = arena.string(prompt)
    message.pointee.group_size = UInt32(groupSize)
    message.pointee.policy_version = UInt64(policyVersion)
    message.pointee.branch_step = UInt32(branchStep)
    message.pointee.final_score_only = finalScoreOnly ? 1 : 0
    return message
  }
}

extension Work: Coded {
  init(_ message: Stepwise__Work, _ path: FieldPath) throws {
    self.init(assignments: try path.list(message.assignments, message.n_assignments, "assignments"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Work> {
    let message = arena.make(stepwise__work__init)
    message.pointee.n_assignments = assignments.count
    message.pointee.assignments = arena.pointers(assignments.map { $0.packed(in: arena) })
    return message
  }
}

extension RunFinished: Coded {
  init(_ message: Stepwise__RunFinished, _ path: FieldPath) throws {
    self.init(reason: try path.text(message.reason, "reason", mayBeEmpty: true))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__RunFinished> {
    let message = arena.make(stepwise__run_finished__init)
    message.pointee.reason = arena.string(reason)
    return message
  }
}

extension Acknowledgement: Coded {
  init(_ message: Stepwise__Acknowledgement, _ path: FieldPath) throws {
    self.init(numbers: try path.numbers(message.numbers, message.n_numbers, "numbers"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Acknowledgement> {
    let message = arena.make(stepwise__acknowledgement__init)
    message.pointee.n_numbers = numbers.count
    message.pointee.numbers = arena.array(numbers.map { UInt64($0) })
    return message
  }
}
