// The section `reward`.

/// Which rewards are learned, and how reward servers compute them.
package struct RewardSettings: SettingsSection {
  /// Names of rewards and their weights. The weighted sum is learned; a larger weight makes a reward count more.
  package var weights: [String: Float] = ["alignment": 1]
  /// Names of rewards that are scored and logged but not learned.
  package var shadow: [String] = []
  /// Names of rewards, out of `reward.weights` and `reward.shadow`, that other servers provide, such as those of
  /// `python/stepwise_rewards`. Swift reward servers do not load them.
  package var external: [String] = []
  /// The number of latest scores per reward whose mean and standard deviation normalize it before it is weighted. A
  /// larger value is steadier and follows changes more slowly; 0 uses the scores as they are.
  package var normalizationWindow = 0
  /// Folder of the CLIP model (transformers format) for the rewards `alignment` and `diversity`.
  package var alignmentModel = "Models/emoji-clip"
  /// Models of other rewards: a path per name, such as `{clip-score: FOLDER}`. See [rewards.md](rewards.md) for the
  /// names.
  package var models: [String: String] = [:]
  /// Pictures that a reward server scores at once. A larger value is faster and takes more memory.
  package var batchSize = 32
  /// Seconds that a reward server waits for more pictures to fill a batch. A larger value is faster with many actors
  /// and slower with few; 0 does not wait.
  package var batchDelay: Double = 0
  /// Requests that a reward server accepts at once from each router. A larger value fills batches better and leaves
  /// less work to other servers.
  package var requestsAtOnce = 4

  package init() {}

  package static let paths = ["alignmentModel", "models"]

  /// Rewards that the Swift reward servers score, sorted.
  package var served: [String] { Set(weights.keys).union(shadow).subtracting(external).sorted() }

  package func check(_ problems: inout SettingProblems) {
    problems.require(!weights.isEmpty, "reward.weights", "at least one reward and its weight", "none")
    for (name, weight) in weights.sorted(by: { $0.key < $1.key }) {
      problems.require(weight.isFinite && weight != 0, "reward.weights.\(name)", "a number other than 0", weight)
    }
    for name in shadow {
      problems.require(weights[name] == nil, "reward.shadow", "rewards that are not in reward.weights", name)
    }
    for name in external {
      problems.require(
        weights[name] != nil || shadow.contains(name), "reward.external", "rewards of reward.weights or reward.shadow",
        name)
    }
    problems.require(
      normalizationWindow == 0 || normalizationWindow > 1, "reward.normalizationWindow", "0 or at least 2",
      normalizationWindow)
    problems.positive(batchSize, "reward.batchSize")
    problems.notNegative(batchDelay, "reward.batchDelay")
    problems.positive(requestsAtOnce, "reward.requestsAtOnce")
  }
}
