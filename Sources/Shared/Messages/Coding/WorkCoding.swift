// Conversion of assignments and acknowledgements to and from the structs of protobuf-c.

internal import CMessages

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
