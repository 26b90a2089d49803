// The sections that a training method reads, and which of their values a method can work with. A combination that could
// train nothing is refused here, before anything is sampled.

/// The settings that methods read.
package struct MethodSettings: Sendable, Equatable {
  package var sampling = SamplingSettings()
  package var training = TrainingSettings()
  package var branches = BranchSettings()
  package var gradient = GradientSettings()
  package var proxy = ProxySettings()
  package var lasro = LasroSettings()

  /// The defaults with some changes.
  package init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

  /// What is wrong with these settings; empty when the method can work with them.
  package var problems: [String] {
    var problems = SettingProblems()
    for section in [sampling, training, branches, gradient, proxy, lasro] as [any SettingsSection] {
      section.check(&problems)
    }
    check(&problems)
    return problems.lines
  }

  /// Checks what `training.algorithm` needs; the sections check the ranges of single values themselves.
  package func check(_ problems: inout SettingProblems) {
    let method = training.algorithm
    let compares = "because \(method) compares trajectories of one group"
    switch method {
    case .sdpo:
      problems.require(
        sampling.groupSize % 2 == 0, "sampling.groupSize", "an even number, \(compares)", sampling.groupSize)
      checkTrainedSteps(&problems)
    case .ddpo:
      checkTrainedSteps(&problems)
      problems.require(
        sampling.groupsPerEpoch * sampling.groupSize >= 2 || training.normalizesPerPrompt, "sampling.groupSize",
        "at least 2, because the advantage of a trajectory that is normalized alone is 0", sampling.groupSize)
    case .b2DiffuRL:
      problems.require(sampling.groupSize >= 2, "sampling.groupSize", "at least 2, \(compares)", sampling.groupSize)
      checkBranches(&problems)
    case .sqdf, .draftK, .draftKL, .draftLV, .refl: checkGradient(&problems)
    case .lasro:
      problems.require(sampling.groupSize >= 2, "sampling.groupSize", "at least 2, \(compares)", sampling.groupSize)
      checkLasro(&problems)
    }
  }

  /// The noise of the final step is added after the scored picture: with one step nothing that is trained has an effect
  /// on the reward.
  private func checkTrainedSteps(_ problems: inout SettingProblems) {
    problems.require(
      sampling.steps >= 2, "sampling.steps",
      "at least 2 for \(training.algorithm), because the noise of the final step has no effect on the reward",
      sampling.steps)
  }

  private func checkBranches(_ problems: inout SettingProblems) {
    let shortest = branches.shortestInterval, longest = branches.longestInterval
    problems.require(
      longest >= shortest && longest <= sampling.steps, "branches.longestInterval",
      "branches.shortestInterval (\(shortest)) to sampling.steps (\(sampling.steps))", longest)
    problems.require(
      longest >= 2, "branches.longestInterval",
      "at least 2, because the noise of the final step has no effect on the reward", longest)
    problems.require(
      training.finalStep || shortest >= 2, "branches.shortestInterval",
      "at least 2, because training.finalStep is false and the first stage would train no step", shortest)
    // The largest z-score of n numbers, with their sample standard deviation, is (n - 1) / √n.
    let scores = Double(sampling.groupSize * sampling.groupsPerEpoch) * Double(branches.history + 1)
    let largest = (scores - 1) / scores.squareRoot()
    let best = Double(branches.positiveThreshold) <= largest, worst = Double(branches.negativeThreshold) > -largest
    for (reached, key, value) in [
      (best, "branches.positiveThreshold", branches.positiveThreshold),
      (worst, "branches.negativeThreshold", branches.negativeThreshold),
    ] {
      problems.require(
        reached || branches.base == .ddpo && (best || worst), key,
        "a threshold within \(largest) standard deviations, the most that \(Int(scores)) scores can reach", value)
    }
  }

  private func checkGradient(_ problems: inout SettingProblems) {
    let method = training.algorithm, steps = 1...max(1, sampling.steps)
    let ofSteps = "1 to sampling.steps (\(sampling.steps))"
    switch method {
    case .sqdf:
      problems.require(
        training.finalStep || sampling.steps > 1, "training.finalStep",
        "true, because sampling.steps is 1 and no other step is left to train", training.finalStep)
      problems.require(
        training.finalStep || training.discount > 0, "training.discount",
        "above 0, because training.finalStep is false and the reward would have the weight 0 at all trained steps",
        training.discount)
      problems.require(
        gradient.estimate != .consistency || !gradient.consistencyModel.isEmpty, "gradient.consistencyModel",
        "a folder, because gradient.estimate is consistency", "none")
    case .draftK, .draftKL:
      problems.require(
        steps.contains(gradient.differentiatedSteps), "gradient.differentiatedSteps", ofSteps,
        gradient.differentiatedSteps)
      problems.require(
        method == .draftK || gradient.divergenceWeight > 0, "gradient.divergenceWeight", "more than 0 for draft-kl",
        gradient.divergenceWeight)
    case .refl:
      problems.require(steps.contains(gradient.lastSteps), "gradient.lastSteps", ofSteps, gradient.lastSteps)
    default: break
    }
    problems.require(
      gradient.source == .server || !proxy.embeddingModel.isEmpty, "proxy.embeddingModel", "the folder of a CLIP model",
      "none")
  }

  private func checkLasro(_ problems: inout SettingProblems) {
    let groups = gradient.replayEpochs * sampling.groupsPerEpoch
    problems.require(
      lasro.heldOutEvery <= groups, "lasro.heldOutEvery",
      "at most gradient.replayEpochs * sampling.groupsPerEpoch (\(groups)), because the policy is not trained while "
        + "no held-out group is stored", lasro.heldOutEvery)
  }
}
