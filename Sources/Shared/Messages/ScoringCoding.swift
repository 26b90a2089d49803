// Score requests and replies to and from protobuf-c's structs.

internal import CMessages

extension ScoreRequest: Coded {
  init(_ message: Stepwise__V1__ScoreRequest, _ place: Place) throws {
    let images = try place.images(message.images, "images")
    let prompts = try (0..<message.n_prompts).map {
      try place.text(message.prompts?[$0], "prompts[\($0)]", mayBeEmpty: true)
    }
    try place.require(
      prompts.count == images.count, "prompts", "expected \(images.count), one an image, found \(prompts.count)")
    let rewards = try place.texts(message.rewards, message.n_rewards, "rewards")
    try place.require(!rewards.isEmpty, "rewards", "expected at least one reward, found none")
    let entries: [MetadataEntry] = try place.list(message.metadata, message.n_metadata, "metadata")
    self.init(
      id: message.id, rewards: rewards, prompts: prompts, images: images,
      deadline: try place.number(message.deadline_milliseconds, "deadline_milliseconds"),
      metadata: Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ScoreRequest> {
    let message = arena.make(stepwise__v1__score_request__init)
    message.pointee.id = id
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { arena.string($0) })
    message.pointee.n_prompts = prompts.count
    message.pointee.prompts = arena.pointers(prompts.map { arena.string($0) })
    message.pointee.images = arena.tensor(images)
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

  init(_ message: Stepwise__V1__MetadataEntry, _ place: Place) throws {
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
  init(_ message: Stepwise__V1__ScoreResult, _ place: Place) throws {
    var values = try place.finite(message.values, message.n_values, "values").map { Optional($0) }
    for index in place.numbers(message.missing, message.n_missing) {
      try place.require(
        index < values.count, "missing", "expected an index below \(values.count), the number of values, found \(index)"
      )
      values[index] = nil
    }
    self.init(
      reward: try place.text(message.reward, "reward"),
      version: try place.text(message.version, "version", mayBeEmpty: true), values: values,
      error: try place.text(message.error, "error", mayBeEmpty: true))
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
    return message
  }
}

extension ScoreReply: Coded {
  init(_ message: Stepwise__V1__ScoreReply, _ place: Place) throws {
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

extension RewardVersion: Coded {
  init(_ message: Stepwise__V1__RewardVersion, _ place: Place) throws {
    self.init(
      name: try place.text(message.name, "name"),
      version: try place.text(message.version, "version", mayBeEmpty: true))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__RewardVersion> {
    let message = arena.make(stepwise__v1__reward_version__init)
    message.pointee.name = arena.string(name)
    message.pointee.version = arena.string(version)
    return message
  }
}

extension ServerReady: Coded {
  init(_ message: Stepwise__V1__ServerReady, _ place: Place) throws {
    self.init(
      name: try place.text(message.name, "name"),
      rewards: try place.list(message.rewards, message.n_rewards, "rewards"),
      batchSize: try place.number(message.batch_size, "batch_size", in: 1...1 << 20),
      credits: try place.number(message.credits, "credits", in: 0...1 << 20))
  }

  func packed(in arena: Arena) -> UnsafeMutablePointer<Stepwise__V1__ServerReady> {
    let message = arena.make(stepwise__v1__server_ready__init)
    message.pointee.name = arena.string(name)
    message.pointee.n_rewards = rewards.count
    message.pointee.rewards = arena.pointers(rewards.map { $0.packed(in: arena) })
    message.pointee.batch_size = UInt32(batchSize)
    message.pointee.credits = UInt32(credits)
    return message
  }
}
