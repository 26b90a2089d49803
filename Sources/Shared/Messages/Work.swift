// How work reaches actors: they say how much they can take on, the learner hands out numbered assignments.

internal import CMessages

/// An actor asks for work.
package struct WorkRequest: Sendable, Equatable {
  /// Most groups that may be asked for at once.
  package static let mostGroups = 1 << 16

  /// Groups it can take on beyond those held.
  package var capacity: Int
  /// Numbers of assignments it works on or has delivered without an acknowledgement; their leases are renewed.
  package var held: [Int]

  /// A request for up to `capacity` more.
  package init(capacity: Int, held: [Int] = []) {
    self.capacity = capacity
    self.held = held
  }
}

/// One trajectory group to be made. All its random numbers follow from the run's seed and `number`.
package struct Assignment: Sendable, Equatable, Hashable {
  /// Unique in a run, and consecutive.
  package var number: Int
  /// The epoch that it is trained in.
  package var epoch: Int
  /// What is to be seen.
  package var prompt: String
  /// Trajectories in the group.
  package var groupSize: Int
  /// The policy to sample from.
  package var policyVersion: Int
  /// The trajectories share all states up to this step: 0, the initial one alone.
  package var branchStep: Int
  /// The last clean state alone is scored; or the first, the anchor and the last.
  package var finalScoreOnly: Bool

  /// An assignment with all it says.
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
  /// What assignments must share to be sampled together.
  package struct Form: Sendable, Equatable {
    /// Trajectories in a group.
    package let groupSize: Int
    /// Where they branch.
    package let branchStep: Int
    /// What of them is scored.
    package let finalScoreOnly: Bool
  }

  /// What of it others must share to be sampled with it.
  package var form: Form { Form(groupSize: groupSize, branchStep: branchStep, finalScoreOnly: finalScoreOnly) }
}

/// The learner's answer to a `WorkRequest`.
package struct Work: Sendable, Equatable {
  /// None: there is nothing to do now; the learner sends `Work` by itself when there is.
  package var assignments: [Assignment]

  /// An answer; empty: wait.
  package init(assignments: [Assignment]) { self.assignments = assignments }

  /// Nothing to do now.
  package var mustWait: Bool { assignments.isEmpty }
}

/// The run is over: nothing more will be assigned or accepted.
package struct RunFinished: Sendable, Equatable {
  /// Why it is over.
  package var reason: String

  /// The end, and why.
  package init(reason: String) { self.reason = reason }
}

/// These groups are on the learner's disk; the actor may forget them.
package struct Acknowledgement: Sendable, Equatable {
  /// Numbers of groups.
  package var numbers: [Int]

  /// What is on disk.
  package init(numbers: [Int]) { self.numbers = numbers }
}

extension WorkRequest: Coded {
  init(_ message: Stepwise__V1__WorkRequest, _ place: FieldPath) throws {
    self.init(
      capacity: try place.number(message.capacity, "capacity", in: 0...WorkRequest.mostGroups),
      held: try place.numbers(message.held, message.n_held, "held"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__WorkRequest> {
    let message = arena.make(stepwise__v1__work_request__init)
    message.pointee.capacity = UInt32(capacity)
    message.pointee.n_held = held.count
    message.pointee.held = arena.array(held.map { UInt64($0) })
    return message
  }
}

extension Assignment: Coded {
  init(_ message: Stepwise__V1__Assignment, _ place: FieldPath) throws {
    self.init(
      number: try place.number(message.number, "number"), epoch: try place.number(message.epoch, "epoch"),
      prompt: try place.text(message.prompt, "prompt", mayBeEmpty: true),
      groupSize: try place.number(message.group_size, "group_size", in: 1...TrajectoryGroup.largestSize),
      policyVersion: try place.number(message.policy_version, "policy_version"),
      branchStep: try place.number(message.branch_step, "branch_step"), finalScoreOnly: message.final_score_only != 0)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Assignment> {
    let message = arena.make(stepwise__v1__assignment__init)
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
  init(_ message: Stepwise__V1__Work, _ place: FieldPath) throws {
    self.init(assignments: try place.list(message.assignments, message.n_assignments, "assignments"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Work> {
    let message = arena.make(stepwise__v1__work__init)
    message.pointee.n_assignments = assignments.count
    message.pointee.assignments = arena.pointers(assignments.map { $0.packed(in: arena) })
    return message
  }
}

extension RunFinished: Coded {
  init(_ message: Stepwise__V1__RunFinished, _ place: FieldPath) throws {
    self.init(reason: try place.text(message.reason, "reason", mayBeEmpty: true))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__RunFinished> {
    let message = arena.make(stepwise__v1__run_finished__init)
    message.pointee.reason = arena.string(reason)
    return message
  }
}

extension Acknowledgement: Coded {
  init(_ message: Stepwise__V1__Acknowledgement, _ place: FieldPath) throws {
    self.init(numbers: try place.numbers(message.numbers, message.n_numbers, "numbers"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Acknowledgement> {
    let message = arena.make(stepwise__v1__acknowledgement__init)
    message.pointee.n_numbers = numbers.count
    message.pointee.numbers = arena.array(numbers.map { UInt64($0) })
    return message
  }
}
