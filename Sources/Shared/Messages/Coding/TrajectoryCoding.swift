// Conversion of trajectory groups to and from the structs of protobuf-c. In a group that was read, all counts and
// shapes agree and every number is finite.

internal import CMessages
internal import Engine

extension Score: Coded {
  init(_ message: Stepwise__Score, _ path: FieldPath) throws {
    self.init(
      step: try path.number(message.step, "step"), reward: try path.text(message.reward, "reward"),
      version: try path.text(message.version, "version", mayBeEmpty: true),
      value: message.missing != 0 ? nil : try path.finite(message.value, "value"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Score> {
    let message = arena.make(stepwise__score__init)
    message.pointee.step = UInt32(step)
    message.pointee.reward = arena.string(reward)
    message.pointee.version = arena.string(version)
    message.pointee.value = value ?? 0
    message.pointee.missing = value == nil ? 1 : 0
    return message
  }
}

extension Trajectory: Coded {
  init(_ message: Stepwise__Trajectory, _ path: FieldPath) throws {
    let cleanStates = try path.tensor(message.clean_states, "clean_states", rank: 4)
    let states = try path.tensor(message.states, "states", rank: 4)
    let steps = cleanStates.shape[0]
    let expected = [steps + 1] + cleanStates.shape.dropFirst()
    try path.require(
      states.shape == expected, "states",
      "expected shape \(expected) for clean states of shape \(cleanStates.shape), found \(states.shape)")
    let logProbabilities = try path.finite(message.log_probabilities, message.n_log_probabilities, "log_probabilities")
    try path.require(
      logProbabilities.count == steps, "log_probabilities", "expected \(steps), found \(logProbabilities.count)")
    let denseRewards = try path.finite(message.dense_rewards, message.n_dense_rewards, "dense_rewards")
    try path.require(
      denseRewards.isEmpty || denseRewards.count == steps, "dense_rewards",
      "expected \(steps) or none, found \(denseRewards.count)")
    let scores: [Score] = try path.list(message.scores, message.n_scores, "scores")
    if let stray = scores.first(where: { $0.step >= steps }) {
      throw path.failure("scores", "expected steps below \(steps), found \(stray.step)")
    }
    self.init(
      states: states, cleanStates: cleanStates, logProbabilities: logProbabilities, scores: scores,
      denseRewards: denseRewards, anchorStep: try path.number(message.anchor_step, "anchor_step", in: 0...steps - 1))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__Trajectory> {
    let message = arena.make(stepwise__trajectory__init)
    message.pointee.states = arena.tensor(states)
    message.pointee.clean_states = arena.tensor(cleanStates)
    message.pointee.n_log_probabilities = logProbabilities.count
    message.pointee.log_probabilities = arena.array(logProbabilities)
    message.pointee.n_scores = scores.count
    message.pointee.scores = arena.pointers(scores.map { $0.packed(in: arena) })
    message.pointee.n_dense_rewards = denseRewards.count
    message.pointee.dense_rewards = arena.array(denseRewards)
    message.pointee.anchor_step = UInt32(anchorStep)
    return message
  }
}

extension TrajectoryGroup: Coded {
  init(_ message: Stepwise__TrajectoryGroup, _ path: FieldPath) throws {
    try path.require(
      (1...Self.largestSize).contains(message.n_trajectories), "trajectories",
      "expected 1 to \(Self.largestSize), found \(message.n_trajectories)")
    let trajectories: [Trajectory] = try path.list(message.trajectories, message.n_trajectories, "trajectories")
    let timesteps = path.numbers(message.timesteps, message.n_timesteps)
    for (index, trajectory) in trajectories.enumerated() {
      try path.require(
        trajectory.states.shape == trajectories[0].states.shape, "trajectories[\(index)].states",
        "expected the shape of the first trajectory, \(trajectories[0].states.shape), found \(trajectory.states.shape)")
    }
    try path.require(
      timesteps.count == trajectories[0].stepCount, "timesteps",
      "expected \(trajectories[0].stepCount), one per step, found \(timesteps.count)")
    self.init(
      runID: try path.text(message.run_id, "run_id"), number: try path.number(message.number, "number"),
      epoch: try path.number(message.epoch, "epoch"), actor: try path.text(message.actor, "actor"),
      incarnation: try path.number(message.incarnation, "incarnation"),
      policyVersion: try path.number(message.policy_version, "policy_version"),
      prompt: try path.text(message.prompt, "prompt", mayBeEmpty: true), seed: message.seed, timesteps: timesteps,
      eta: try path.finite(message.eta, "eta"),
      guidanceScale: try path.finite(message.guidance_scale, "guidance_scale"), trajectories: trajectories)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__TrajectoryGroup> {
    let message = arena.make(stepwise__trajectory_group__init)
    message.pointee.run_id = arena.string(runID)
    message.pointee.number = UInt64(number)
    message.pointee.epoch = UInt64(epoch)
    message.pointee.actor = arena.string(actor)
    message.pointee.incarnation = UInt64(incarnation)
    message.pointee.policy_version = UInt64(policyVersion)
    message.pointee.prompt = arena.string(prompt)
    message.pointee.seed = seed
    message.pointee.n_timesteps = timesteps.count
    message.pointee.timesteps = arena.array(timesteps.map { UInt32($0) })
    message.pointee.eta = eta
    message.pointee.guidance_scale = guidanceScale
    message.pointee.n_trajectories = trajectories.count
    message.pointee.trajectories = arena.pointers(trajectories.map { $0.packed(in: arena) })
    return message
  }
}
