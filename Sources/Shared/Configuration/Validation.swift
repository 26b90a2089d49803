// What the types cannot say: ranges, and which values go together. All problems are reported at once.

extension Configuration {
  /// Checks every value that can be checked without opening files.
  ///
  /// - Parameter source: names the configuration in the error.
  /// - Throws: `ConfigurationError`, one line a problem.
  package func validate(source: String = "the configuration") throws {
    var problems: [String] = []
    func require(_ condition: Bool, _ key: String, _ expected: String, _ found: some Any) {
      if !condition { problems.append("\(source): \(key): expected \(expected), found \(found).") }
    }
    func positive(_ value: Int, _ key: String) { require(value > 0, key, "a whole number above 0", value) }
    func positive(_ value: Float, _ key: String) {
      require(value > 0 && value.isFinite, key, "a number above 0", value)
    }
    func positive(_ value: Double, _ key: String) {
      require(value > 0 && value.isFinite, key, "seconds above 0", value)
    }
    func notNegative(_ value: Int, _ key: String) { require(value >= 0, key, "0 or more", value) }
    func share(_ value: Float, _ key: String) { require(value >= 0 && value < 1, key, "at least 0 and below 1", value) }

    require(!run.folder.isEmpty, "run.folder", "a folder", "none")
    require(!run.model.isEmpty, "run.model", "a model's folder in diffusers format", "none")
    notNegative(run.threads, "run.threads")
    positive(run.stuckLimit, "run.stuckLimit")

    require((1...1000).contains(sampling.steps), "sampling.steps", "1 to 1000", sampling.steps)
    require(
      sampling.guidanceScale >= 0 && sampling.guidanceScale.isFinite, "sampling.guidanceScale", "0 or more",
      sampling.guidanceScale)
    require(
      sampling.eta > 0 && sampling.eta <= 1, "sampling.eta",
      "above 0 (without noise there is nothing to learn from) and at most 1", sampling.eta)
    require(
      ["model", "trailing", "leading"].contains(sampling.timestepSpacing), "sampling.timestepSpacing",
      "model, trailing or leading", sampling.timestepSpacing)
    positive(sampling.groupsPerEpoch, "sampling.groupsPerEpoch")
    positive(sampling.groupSize, "sampling.groupSize")
    positive(sampling.batchSize, "sampling.batchSize")

    require(!reward.weights.isEmpty, "reward.weights", "at least one reward and its weight", "none")
    for (name, weight) in reward.weights.sorted(by: { $0.key < $1.key }) {
      require(weight.isFinite && weight != 0, "reward.weights.\(name)", "a number other than 0", weight)
    }
    for name in reward.shadow {
      require(reward.weights[name] == nil, "reward.shadow", "rewards that are not in reward.weights", name)
    }
    for name in reward.external {
      require(
        reward.weights[name] != nil || reward.shadow.contains(name), "reward.external",
        "rewards of reward.weights or reward.shadow", name)
    }
    require(
      reward.normalizationWindow == 0 || reward.normalizationWindow > 1, "reward.normalizationWindow",
      "0 or at least 2", reward.normalizationWindow)
    positive(reward.batchSize, "reward.batchSize")
    require(
      reward.batchDelay >= 0 && reward.batchDelay < network.silenceLimit, "reward.batchDelay",
      "0 or more seconds, below network.silenceLimit (\(network.silenceLimit))", reward.batchDelay)
    positive(reward.requestsAtOnce, "reward.requestsAtOnce")

    require(
      Self.algorithms.contains(training.algorithm), "training.algorithm",
      "one of " + Self.algorithms.joined(separator: ", "), training.algorithm)
    validateMethod(require)
    positive(training.epochs, "training.epochs")
    positive(training.learningRate, "training.learningRate")
    share(training.beta1, "training.beta1")
    share(training.beta2, "training.beta2")
    require(training.weightDecay >= 0, "training.weightDecay", "0 or more", training.weightDecay)
    positive(training.epsilon, "training.epsilon")
    positive(training.maximumGradientNorm, "training.maximumGradientNorm")
    require(
      training.finalStep || sampling.steps > 1, "training.finalStep", "true, because sampling.steps is 1 and nothing else "
        + "is left to train", training.finalStep)
    positive(training.minibatchSize, "training.minibatchSize")
    positive(training.accumulation, "training.accumulation")
    positive(training.loraRank, "training.loraRank")
    positive(training.loraAlpha, "training.loraAlpha")
    require(!training.loraTargets.isEmpty, "training.loraTargets", "at least one attention projection", "none")
    positive(training.logRatioClip, "training.logRatioClip")
    positive(training.advantageClip, "training.advantageClip")
    require(training.lambda > 0 && training.lambda <= 1, "training.lambda", "above 0 and at most 1", training.lambda)
    positive(training.logScale, "training.logScale")
    require((0...1).contains(training.discount), "training.discount", "0 to 1", training.discount)
    positive(training.statisticsBufferSize, "training.statisticsBufferSize")
    require(
      (1...max(1, training.statisticsBufferSize)).contains(training.statisticsMinimumCount),
      "training.statisticsMinimumCount", "1 to training.statisticsBufferSize (\(training.statisticsBufferSize))",
      training.statisticsMinimumCount)
    notNegative(training.maximumStaleness, "training.maximumStaleness")

    positive(replay.maximumTrajectories, "replay.maximumTrajectories")
    positive(replay.maximumBytes, "replay.maximumBytes")
    positive(replay.segmentGroups, "replay.segmentGroups")
    positive(replay.segmentBytes, "replay.segmentBytes")
    notNegative(replay.cacheBytes, "replay.cacheBytes")
    require(
      replay.samplesPerInsert >= 0 && replay.samplesPerInsert.isFinite, "replay.samplesPerInsert", "0 or more",
      replay.samplesPerInsert)
    require(
      replay.errorBuffer > 0 && replay.errorBuffer.isFinite, "replay.errorBuffer", "a number above 0", replay.errorBuffer)
    positive(replay.minimumSize, "replay.minimumSize")

    for (key, endpoints) in [
      ("network.learner", [network.learner]), ("network.notices", [network.notices]),
      ("network.routers", network.routers), ("network.routerBackends", network.routerBackends),
    ] {
      require(!endpoints.isEmpty, key, "at least one endpoint", "none")
      for endpoint in endpoints {
        require(
          ["tcp://", "inproc://", "ipc://"].contains { endpoint.hasPrefix($0) && endpoint.count > $0.count }, key,
          "an endpoint such as tcp://127.0.0.1:5801", "\"\(endpoint)\"")
      }
    }
    require(
      network.routers.count == network.routerBackends.count, "network.routerBackends",
      "as many endpoints as network.routers has (\(network.routers.count))", network.routerBackends.count)
    for (value, key) in [
      (network.connectTimeout, "network.connectTimeout"), (network.heartbeatInterval, "network.heartbeatInterval"),
      (network.scoreDeadline, "network.scoreDeadline"), (network.leaseDuration, "network.leaseDuration"),
    ] { positive(value, key) }
    require(
      network.silenceLimit > 2 * network.heartbeatInterval, "network.silenceLimit",
      "more than twice network.heartbeatInterval (\(network.heartbeatInterval))", network.silenceLimit)
    require(
      network.maximumMessageBytes >= 65536, "network.maximumMessageBytes", "at least 65536",
      network.maximumMessageBytes)
    require(
      network.policyChunkBytes > 0 && network.policyChunkBytes <= network.maximumMessageBytes / 2,
      "network.policyChunkBytes", "at most half of network.maximumMessageBytes", network.policyChunkBytes)
    require(
      network.keyFile.isEmpty || !network.keys.isEmpty, "network.keys", "a folder of keys beside network.keyFile", "none")
    positive(network.undeliveredGroups, "network.undeliveredGroups")
    positive(network.undeliveredBytes, "network.undeliveredBytes")

    positive(checkpoint.every, "checkpoint.every")
    positive(checkpoint.keep, "checkpoint.keep")
    notNegative(checkpoint.heldOutPictures, "checkpoint.heldOutPictures")
    positive(evaluation.seeds, "evaluation.seeds")
    notNegative(evaluation.every, "evaluation.every")
    if !problems.isEmpty {
      throw ConfigurationError(
        problems.joined(separator: "\n") + "\nCorrect the file; docs/configuration.md explains each key.")
    }
  }
}
