// Conversion of score requests and replies to and from the structs of protobuf-c.

internal import CMessages
internal import Engine

extension ScoreRequest: Coded {
  init(_ message: Stepwise__ScoreRequest, _ path: FieldPath) throws {
    // The counts are checked first, because the time of the later steps grows with them, in part quadratically.
    try path.require(
      message.n_rewards <= ScoreRequest.mostRewards, "rewards",
      "expected at most \(ScoreRequest.mostRewards), found \(message.n_rewards)")
    try path.require(
      message.n_prompts <= ScoreRequest.mostImages, "prompts",
      "expected at most \(ScoreRequest.mostImages), found \(message.n_prompts)")
    let images: ScoredImages =
      message.want_gradient != 0
      ? .pixels(try path.pixels(message.images, "images")) : .bytes(try path.images(message.images, "images"))
    let prompts = try (0..<message.n_prompts).map {
      try path.text(message.prompts?[$0], "prompts[\($0)]", mayBeEmpty: true)
    }
    try path.require(
      prompts.count == images.count, "prompts", "expected \(images.count), one per image, found \(prompts.count)")
    let rewards = try path.texts(message.rewards, message.n_rewards, "rewards")
    try path.require(!rewards.isEmpty, "rewards", "expected at least one reward, found none")
    let trajectories = path.numbers(message.trajectories, message.n_trajectories)
    let steps = path.numbers(message.steps, message.n_steps)
    try path.require(
      trajectories.count == steps.count && (steps.isEmpty || steps.count == images.count), "trajectories",
      "expected as many as steps, one per image or none, found \(trajectories.count) for \(steps.count) steps and "
        + "\(images.count) images")
    self.init(
      id: message.id, rewards: rewards, prompts: prompts, images: images,
      deadline: try path.number(message.deadline_milliseconds, "deadline_milliseconds"),
      positions: zip(trajectories, steps).map { GroupPosition(trajectory: $0, step: $1) })
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__ScoreRequest> {
    let message = arena.make(stepwise__score_request__init)
    message.pointee.id = id
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { arena.string($0) })
    message.pointee.n_prompts = prompts.count
    message.pointee.prompts = arena.pointers(prompts.map { arena.string($0) })
    switch images {
    case .bytes(let images): message.pointee.images = arena.tensor(images)
    case .pixels(let pixels): message.pointee.images = arena.tensor(pixels)
    }
    message.pointee.want_gradient = wantsGradient ? 1 : 0
    message.pointee.n_trajectories = positions.count
    message.pointee.trajectories = arena.array(positions.map { UInt32($0.trajectory) })
    message.pointee.n_steps = positions.count
    message.pointee.steps = arena.array(positions.map { UInt32($0.step) })
    message.pointee.deadline_milliseconds = UInt32(deadline)
    return message
  }
}

extension ScoreResult: Coded {
  init(_ message: Stepwise__ScoreResult, _ path: FieldPath) throws {
    try path.require(
      message.n_values <= ScoreRequest.mostImages, "values",
      "expected at most \(ScoreRequest.mostImages), found \(message.n_values)")
    var values = UnsafeBufferPointer(start: message.values, count: message.n_values).map { Optional($0) }
    for index in path.numbers(message.missing, message.n_missing) {
      try path.require(
        index < values.count, "missing", "expected an index below \(values.count), the number of values, found \(index)"
      )
      values[index] = nil
    }
    self.init(
      reward: try path.text(message.reward, "reward"),
      version: try path.text(message.version, "version", mayBeEmpty: true), values: values,
      error: try path.text(message.error, "error", mayBeEmpty: true),
      gradient: message.gradient == nil ? nil : try path.pixels(message.gradient, "gradient", mayBeNotFinite: true))
    removeNotFinite()
  }

  /// Turns scores that are not finite, or whose gradients are not, into missing scores. The message is not refused as a
  /// whole, because the scores of the other images are valid and the router can ask another server.
  private mutating func removeNotFinite() {
    var bad = Set(values.indices.filter { values[$0]?.isFinite == false })
    if let pixels = gradient, pixels.shape[0] == values.count {
      let size = pixels.count / max(1, values.count)
      pixels.withUnsafeBuffer { elements in
        guard elements.firstNonFinite != nil else { return }
        for index in values.indices {
          let gradient = UnsafeBufferPointer(rebasing: elements[index * size..<(index + 1) * size])
          if gradient.firstNonFinite != nil { bad.insert(index) }
        }
      }
    }
    guard !bad.isEmpty else { return }
    for index in bad { values[index] = nil }
    gradient = gradient?.zeroed(rows: bad.sorted())
    let named = bad.sorted().prefix(20).map(String.init).joined(separator: ", ") + (bad.count > 20 ? ", ..." : "")
    let found = "\(reward): expected finite numbers, found others for image \(named)"
    error = error.isEmpty ? found : "\(error); \(found)"
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__ScoreResult> {
    let message = arena.make(stepwise__score_result__init)
    message.pointee.reward = arena.string(reward)
    message.pointee.version = arena.string(version)
    message.pointee.n_values = values.count
    message.pointee.values = arena.array(values.map { $0 ?? 0 })
    let missing = values.indices.filter { values[$0] == nil }.map { UInt32($0) }
    message.pointee.n_missing = missing.count
    message.pointee.missing = arena.array(missing)
    message.pointee.error = arena.string(error)
    if let gradient { message.pointee.gradient = arena.tensor(gradient) }
    return message
  }
}

extension Tensor {
  /// A copy with some rows of the first axis set to 0.
  fileprivate func zeroed(rows: [Int]) -> Tensor {
    let size = count / max(1, shape[0])
    return Tensor(shape: shape) { target in
      withUnsafeBuffer { _ = target.update(fromContentsOf: $0) }
      for row in rows { target[row * size..<(row + 1) * size].update(repeating: 0) }
    }
  }
}

extension ScoreReply: Coded {
  init(_ message: Stepwise__ScoreReply, _ path: FieldPath) throws {
    self.init(id: message.id, results: try path.list(message.results, message.n_results, "results"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__ScoreReply> {
    let message = arena.make(stepwise__score_reply__init)
    message.pointee.id = id
    message.pointee.n_results = results.count
    message.pointee.results = arena.pointers(results.map { $0.packed(in: arena) })
    return message
  }
}
