// The section `proxy`.

/// The reward that is fitted to scores when `gradient.source` is `proxy`: linear layers on an image embedding.
package struct ProxySettings: SettingsSection {
  /// Folder of the CLIP model (transformers format) that gives the image embeddings.
  package var embeddingModel = "Models/emoji-clip"
  /// The optimism of the proxy about pictures unlike those that it was fitted to.
  package var optimism = ProxyOptimism.bootstrap
  /// Heads of `bootstrap`. A larger value is more optimistic.
  package var heads = 4
  /// Standard deviation of noise that is added to the labels, for experiments. A larger value makes the reward harder
  /// to learn.
  package var labelNoise: Float = 0
  /// Passes over all labels per epoch. A larger value fits more closely and takes more time.
  package var passes = 100
  /// Labels per fitting step. A larger value makes fewer and steadier steps.
  package var batchSize = 512
  /// Step size of fitting. A larger value fits faster; too large a value diverges.
  package var learningRate: Float = 1e-3
  /// The number of newest labels that are kept. A larger value knows more and takes more time.
  package var capacity = 20_000
  /// Weight of the bonus of `ucb`. A larger value explores more.
  package var bonusWeight: Float = 0.01
  /// Ridge on the covariance in the bonus of `ucb`. A larger value makes unseen directions less attractive.
  package var bonusRidge: Float = 1e-3
  /// Upper limit of the bonus of `ucb`. A larger value clips less.
  package var bonusLimit: Float = 10

  package init() {}

  package static let paths = ["embeddingModel"]

  package func check(_ problems: inout SettingProblems) {
    problems.positive(heads, "proxy.heads")
    problems.notNegative(labelNoise, "proxy.labelNoise")
    problems.positive(passes, "proxy.passes")
    problems.positive(batchSize, "proxy.batchSize")
    problems.positive(learningRate, "proxy.learningRate")
    problems.positive(capacity, "proxy.capacity")
    problems.notNegative(bonusWeight, "proxy.bonusWeight")
    problems.positive(bonusRidge, "proxy.bonusRidge")
    problems.positive(bonusLimit, "proxy.bonusLimit")
  }
}

/// The optimism of the proxy reward.
package enum ProxyOptimism: String, SettingChoice {
  /// no optimism
  case none
  /// the largest output of several heads, each fitted to a resample of the labels
  case bootstrap
  /// an upper confidence bound
  case ucb
}
