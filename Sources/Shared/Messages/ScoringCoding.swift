// Score requests and replies to and from protobuf-c's structs.

internal import CMessages
internal import Engine

extension ScoreRequest: Coded {
  init(_ message: Stepwise__V1__ScoreRequest, _ place: FieldPath) throws {
    // Counts first: what follows them takes time for each, and for some of them the square of it.
    try place.require(
      message.n_rewards <= ScoreRequest.mostRewards, "rewards",
      "expected at most \(ScoreRequest.mostRewards), found \(message.n_rewards)")
    try place.require(
      message.n_prompts <= ScoreRequest.mostImages, "prompts",
      "expected at most \(ScoreRequest.mostImages), found \(message.n_prompts)")
    let images: ScoredImages =
      message.want_gradient != 0
      ? .pixels(try place.pixels(message.images, "images")) : .bytes(try place.images(message.images, "images"))
    let prompts = try (0..<message.n_prompts).map {
      try place.text(message.prompts?[$0], "prompts[\($0)]", mayBeEmpty: true)
    }
    try place.require(
      prompts.count == images.count, "prompts", "expected \(images.count), one an image, found \(prompts.count)")
    let rewards = try place.texts(message.rewards, message.n_rewards, "rewards")
    try place.require(!rewards.isEmpty, "rewards", "expected at least one reward, found none")
    let trajectories = place.numbers(message.trajectories, message.n_trajectories)
    let steps = place.numbers(message.steps, message.n_steps)
    try place.require(
      trajectories.count == steps.count && (steps.isEmpty || steps.count == images.count), "trajectories",
      "expected as many as steps, one an image or none, found \(trajectories.count) beside \(steps.count) steps of "
        + "\(images.count) images")
    let entries: [MetadataEntry] = try place.list(message.metadata, message.n_metadata, "metadata")
    self.init(
      id: message.id, rewards: rewards, prompts: prompts, images: images,
      deadline: try place.number(message.deadline_milliseconds, "deadline_milliseconds"),
      metadata: Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      places: zip(trajectories, steps).map { GroupPlace(trajectory: $0, step: $1) })
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ScoreRequest> {
    let message = arena.make(stepwise__v1__score_request__init)
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
    message.pointee.n_trajectories = places.count
    message.pointee.trajectories = arena.array(places.map { UInt32($0.trajectory) })
    message.pointee.n_steps = places.count
    message.pointee.steps = arena.array(places.map { UInt32($0.step) })
    message.pointee.deadline_milliseconds = UInt32(deadline)
    let entries = metadata.sorted { $0.key < $1.key }.map { MetadataEntry(key: $0.key, value: $0.value) }
    message.pointee.n_metadata = entries.count
    message.pointee.metadata = arena.pointers(entries.map { $0.packed(in: arena) })
    return message
  }
}

private struct MetadataEntry: Coded {
  let key: String
  let value: String

  init(key: String, value: String) {
    self.key = key
    self.value = value
  }

  init(_ message: Stepwise__V1__MetadataEntry, _ place: FieldPath) throws {
    key = try place.text(message.key, "key")
    value = try place.text(message.value, "value", mayBeEmpty: true)
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__MetadataEntry> {
    let message = arena.make(stepwise__v1__metadata_entry__init)
    message.pointee.key = arena.string(key)
    message.pointee.value = arena.string(value)
    return message
  }
}

extension ScoreResult: Coded {
  init(_ message: Stepwise__V1__ScoreResult, _ place: FieldPath) throws {
    try place.require(
      message.n_values <= ScoreRequest.mostImages, "values",
      "expected at most \(ScoreRequest.mostImages), found \(message.n_values)")
    var values = UnsafeBufferPointer(start: message.values, count: message.n_values).map { Optional($0) }
    for index in place.numbers(message.missing, message.n_missing) {
      try place.require(
        index < values.count, "missing", "expected an index below \(values.count), the number of values, found \(index)"
      )
      values[index] = nil
    }
    self.init(
      reward: try place.text(message.reward, "reward"),
      version: try place.text(message.version, "version", mayBeEmpty: true), values: values,
      error: try place.text(message.error, "error", mayBeEmpty: true),
      gradient: message.gradient == nil ? nil : try place.pixels(message.gradient, "gradient", mayBeNotFinite: true))
    removeNotFinite()
  }

  /// A scorer's NaN is a score that is missing, with its name, and not a message that nobody reads: the other images'
  /// scores are good, and the router can ask another server.
  private mutating func removeNotFinite() {
    var bad = Set(values.indices.filter { values[$0]?.isFinite == false })
    if let pixels = gradient, pixels.shape[0] == values.count {
      let size = pixels.count / max(1, values.count)
      pixels.withUnsafeBuffer { elements in
        guard elements.firstNonFinite != nil else { return }
        bad.formUnion(values.indices.filter {
          !bad.contains($0) && UnsafeBufferPointer(rebasing: elements[$0 * size..<($0 + 1) * size]).firstNonFinite != nil
        })
      }
    }
    guard !bad.isEmpty else { return }
    for index in bad { values[index] = nil }
    gradient = gradient?.zeroed(rows: bad.sorted())
    let named = bad.sorted().prefix(20).map(String.init).joined(separator: ", ") + (bad.count > 20 ? ", ..." : "")
    let found = "\(reward): expected finite numbers, found others for image \(named)"
    error = error.isEmpty ? found : "\(error); \(found)"
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ScoreResult> {
    let message = arena.make(stepwise__v1__score_result__init)
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
  /// The same with 0 in some rows of the first axis.
  fileprivate func zeroed(rows: [Int]) -> Tensor {
    let size = count / max(1, shape[0])
    return Tensor(shape: shape) { target in
      withUnsafeBuffer { _ = target.update(fromContentsOf: $0) }
      for row in rows { target[row * size..<(row + 1) * size].update(repeating: 0) }
    }
  }
}

extension ScoreReply: Coded {
  init(_ message: Stepwise__V1__ScoreReply, _ place: FieldPath) throws {
    self.init(id: message.id, results: try place.list(message.results, message.n_results, "results"))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ScoreReply> {
    let message = arena.make(stepwise__v1__score_reply__init)
    message.pointee.id = id
    message.pointee.n_results = results.count
    message.pointee.results = arena.pointers(results.map { $0.packed(in: arena) })
    return message
  }
}
