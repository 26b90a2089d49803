// Trajectory groups to and from protobuf-c's structs. A group that was read fits together: all its counts and shapes
// agree, and every number in it is finite.

internal import CMessages
internal import Engine

extension Score: Coded {
  init(_ message: Stepwise__V1__Score, _ place: FieldPath) throws {
    self.init(
      step: try place.number(message.step, "step"), reward: try place.text(message.reward, "reward"),
      version: try place.text(message.version, "version", mayBeEmpty: true),
      value: message.missing != 0 ? nil : try place.finite(message.value, "value"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Score> {
    let message = arena.make(stepwise__v1__score__init)
    message.pointee.step = UInt32(step)
    message.pointee.reward = arena.string(reward)
    message.pointee.version = arena.string(version)
    message.pointee.value = value ?? 0
    message.pointee.missing = value == nil ? 1 : 0
    return message
  }
}

extension Trajectory: Coded {
  init(_ message: Stepwise__V1__Trajectory, _ place: FieldPath) throws {
    let cleanStates = try place.tensor(message.clean_states, "clean_states", rank: 4)
    let states = try place.tensor(message.states, "states", rank: 4)
    let steps = cleanStates.shape[0]
    let expected = [steps + 1] + cleanStates.shape.dropFirst()
    try place.require(
      states.shape == expected, "states",
      "expected shape \(expected) beside clean states \(cleanStates.shape), found \(states.shape)")
    let logProbabilities = try place.finite(message.log_probabilities, message.n_log_probabilities, "log_probabilities")
    try place.require(
      logProbabilities.count == steps, "log_probabilities", "expected \(steps), found \(logProbabilities.count)")
    let denseRewards = try place.finite(message.dense_rewards, message.n_dense_rewards, "dense_rewards")
    try place.require(
      denseRewards.isEmpty || denseRewards.count == steps, "dense_rewards",
      "expected \(steps) or none, found \(denseRewards.count)")
    let scores: [Score] = try place.list(message.scores, message.n_scores, "scores")
    if let stray = scores.first(where: { $0.step >= steps }) {
      throw place.failure("scores", "expected steps below \(steps), found \(stray.step)")
    }
    self.init(
      states: states, cleanStates: cleanStates, logProbabilities: logProbabilities, scores: scores,
      denseRewards: denseRewards, anchorStep: try place.number(message.anchor_step, "anchor_step", in: 0...steps - 1))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__Trajectory> {
    let message = arena.make(stepwise__v1__trajectory__init)
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
  init(_ message: Stepwise__V1__TrajectoryGroup, _ place: FieldPath) throws {
    try place.require(
      (1...Self.largestSize).contains(message.n_trajectories), "trajectories",
      "expected 1 to \(Self.largestSize), found \(message.n_trajectories)")
    let trajectories: [Trajectory] = try place.list(message.trajectories, message.n_trajectories, "trajectories")
    let timesteps = place.numbers(message.timesteps, message.n_timesteps)
    for (index, trajectory) in trajectories.enumerated() {
      try place.require(
        trajectory.states.shape == trajectories[0].states.shape, "trajectories[\(index)].states",
        "expected the shape of the group's first, \(trajectories[0].states.shape), found \(trajectory.states.shape)")
    }
    try place.require(
      timesteps.count == trajectories[0].stepCount, "timesteps",
      "expected \(trajectories[0].stepCount), one a step, found \(timesteps.count)")
    self.init(
      runID: try place.text(message.run_id, "run_id"), number: try place.number(message.number, "number"),
      epoch: try place.number(message.epoch, "epoch"), actor: try place.text(message.actor, "actor"),
      incarnation: try place.number(message.incarnation, "incarnation"),
      policyVersion: try place.number(message.policy_version, "policy_version"),
      prompt: try place.text(message.prompt, "prompt", mayBeEmpty: true), seed: message.seed, timesteps: timesteps,
      eta: try place.finite(message.eta, "eta"),
      guidanceScale: try place.finite(message.guidance_scale, "guidance_scale"), trajectories: trajectories)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__TrajectoryGroup> {
    let message = arena.make(stepwise__v1__trajectory_group__init)
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
