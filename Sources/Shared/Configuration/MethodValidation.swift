// What each method needs of the configuration: said at start-up by every role, with the key's name. A method checks its
// own options again when it is made (Algorithms), which this floor cannot see.

extension Configuration {
  /// Names of the methods; Tests/RunTests holds them against the learner's registry.
  package static let algorithms = [
    "sdpo", "ddpo", "b2-diffurl", "sqdf", "draft-k", "draft-kl", "draft-lv", "refl", "lasro",
  ]

  /// Checks the method's needs.
  ///
  /// - Parameter require: takes a condition, the key, what is expected and what was found.
  func validateMethod(_ require: (Bool, String, String, Any) -> Void) {
    let compares = "because \(training.algorithm) compares trajectories of one beginning"
    switch training.algorithm {
    case "sdpo":
      require(sampling.groupSize % 2 == 0, "sampling.groupSize", "an even number, \(compares)", sampling.groupSize)
    case "b2-diffurl":
      require(sampling.groupSize >= 2, "sampling.groupSize", "at least 2, \(compares)", sampling.groupSize)
      require(["ddpo", "sdpo"].contains(branches.base), "branches.base", "ddpo or sdpo", branches.base)
      require(branches.shortestInterval > 0, "branches.shortestInterval", "at least 1", branches.shortestInterval)
      require(
        (branches.shortestInterval...max(branches.shortestInterval, sampling.steps)).contains(branches.longestInterval)
          && branches.longestInterval <= sampling.steps, "branches.longestInterval",
        "branches.shortestInterval (\(branches.shortestInterval)) to sampling.steps (\(sampling.steps))",
        branches.longestInterval)
      require(branches.stages > 0, "branches.stages", "at least 1", branches.stages)
      require(branches.history >= 0, "branches.history", "0 or more", branches.history)
      require(branches.positiveThreshold.isFinite, "branches.positiveThreshold", "a number", branches.positiveThreshold)
      require(branches.negativeThreshold.isFinite, "branches.negativeThreshold", "a number", branches.negativeThreshold)
    case "lasro":
      require(sampling.groupSize >= 2, "sampling.groupSize", "at least 2, \(compares)", sampling.groupSize)
      validateReplay(require)
      validateSurrogate(require)
    case "sqdf", "draft-k", "draft-kl", "draft-lv", "refl":
      validateReplay(require)
      validateGradient(require)
    default: break
    }
  }

  private func validateReplay(_ require: (Bool, String, String, Any) -> Void) {
    require(
      gradient.replayRatio > 0 && gradient.replayRatio.isFinite, "gradient.replayRatio", "a number above 0",
      gradient.replayRatio)
    require(gradient.replayEpochs > 0, "gradient.replayEpochs", "at least 1", gradient.replayEpochs)
  }

  private func validateGradient(_ require: (Bool, String, String, Any) -> Void) {
    let steps = 1...max(1, sampling.steps), ofSteps = "1 to sampling.steps (\(sampling.steps))"
    require(["server", "proxy"].contains(gradient.source), "gradient.source", "server or proxy", gradient.source)
    let samplings = ["uniform", "on-policy", "reward", "reward+gamma", "on-policy+random"]
    require(
      samplings.contains(gradient.sampling), "gradient.sampling", "one of " + samplings.joined(separator: ", "),
      gradient.sampling)
    let estimates = ["consistency", "one-step", "n-step"]
    require(
      estimates.contains(gradient.estimate), "gradient.estimate", "one of " + estimates.joined(separator: ", "),
      gradient.estimate)
    require(
      training.algorithm != "sqdf" || gradient.estimate != "consistency" || !gradient.consistencyModel.isEmpty,
      "gradient.consistencyModel", "a folder, because gradient.estimate is consistency", "none")
    require(gradient.estimateSteps > 0, "gradient.estimateSteps", "at least 1", gradient.estimateSteps)
    require(
      gradient.divergenceWeight.isFinite
        && (gradient.divergenceWeight > 0 || gradient.divergenceWeight == 0 && training.algorithm != "draft-kl"),
      "gradient.divergenceWeight", training.algorithm == "draft-kl" ? "more than 0" : "0 or more",
      gradient.divergenceWeight)
    require(
      steps.contains(gradient.differentiatedSteps), "gradient.differentiatedSteps", ofSteps,
      gradient.differentiatedSteps)
    require(gradient.noisings > 0, "gradient.noisings", "at least 1", gradient.noisings)
    require(steps.contains(gradient.lateSteps), "gradient.lateSteps", ofSteps, gradient.lateSteps)
    if gradient.source == "proxy" { validateProxy(require) }
  }

  private func validateProxy(_ require: (Bool, String, String, Any) -> Void) {
    require(!proxy.embeddingModel.isEmpty, "proxy.embeddingModel", "a CLIP model's folder", "none")
    require(
      ["none", "bootstrap", "ucb"].contains(proxy.optimism), "proxy.optimism", "none, bootstrap or ucb",
      proxy.optimism)
    for (value, key) in [
      (proxy.heads, "proxy.heads"), (proxy.passes, "proxy.passes"), (proxy.batchSize, "proxy.batchSize"),
      (proxy.capacity, "proxy.capacity"),
    ] { require(value > 0, key, "at least 1", value) }
    for (value, key) in [
      (proxy.learningRate, "proxy.learningRate"), (proxy.bonusRidge, "proxy.bonusRidge"),
      (proxy.bonusLimit, "proxy.bonusLimit"),
    ] { require(value > 0 && value.isFinite, key, "a number above 0", value) }
    for (value, key) in [(proxy.labelNoise, "proxy.labelNoise"), (proxy.bonusWeight, "proxy.bonusWeight")] {
      require(value >= 0 && value.isFinite, key, "0 or more", value)
    }
  }

  private func validateSurrogate(_ require: (Bool, String, String, Any) -> Void) {
    for (value, key) in [
      (lasro.warmupSteps, "lasro.warmupSteps"), (lasro.steps, "lasro.steps"),
      (lasro.pairsPerStep, "lasro.pairsPerStep"),
    ] { require(value > 0, key, "at least 1", value) }
    for (value, key) in [(lasro.warmupEpochs, "lasro.warmupEpochs"), (lasro.refits, "lasro.refits")] {
      require(value >= 0, key, "0 or more", value)
    }
    require(
      lasro.heldOutEvery >= 2, "lasro.heldOutEvery", "at least 2, or nothing is left to learn from",
      lasro.heldOutEvery)
    require((0...1).contains(lasro.minimumAccuracy), "lasro.minimumAccuracy", "0 to 1", lasro.minimumAccuracy)
    require((0...1).contains(lasro.secondStepShare), "lasro.secondStepShare", "0 to 1", lasro.secondStepShare)
    for (value, key) in [(lasro.pairThreshold, "lasro.pairThreshold"), (lasro.weightDecay, "lasro.weightDecay")] {
      require(value >= 0 && value.isFinite, key, "0 or more", value)
    }
    require(
      lasro.learningRate > 0 && lasro.learningRate.isFinite, "lasro.learningRate", "a number above 0",
      lasro.learningRate)
  }
}
