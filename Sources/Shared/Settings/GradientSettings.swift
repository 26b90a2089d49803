// The section `gradient`.

/// Methods that follow the gradient of a reward: sqdf, draft-k, draft-kl, draft-lv, refl. lasro reads
/// `gradient.replayRatio` and `gradient.replayEpochs`.
package struct GradientSettings: SettingsSection {
  /// Where the gradient comes from.
  package var source = GradientSource.server
  /// How sqdf draws starting states from the replay.
  package var sampling = ReplaySampling.rewardGamma
  /// Starting states that are drawn per collected trajectory. A larger value learns more from each trajectory, and from
  /// older ones.
  package var replayRatio: Float = 1
  /// Epochs whose trajectories can be drawn, including the current one. A larger value is more diverse and further
  /// off-policy.
  package var replayEpochs = 10
  /// How sqdf predicts the clean state that a step leads to.
  package var estimate = CleanEstimate.oneStep
  /// Steps of the estimate `n-step`. A larger value is finer and proportionally slower.
  package var estimateSteps = 4
  /// Folder of the consistency model, or of its UNet, in diffusers format. Empty when the estimate `consistency` is not
  /// used.
  package var consistencyModel = ""
  /// Weight of the divergence from the model before training, for sqdf and draft-kl. A larger value keeps the policy
  /// closer to that model.
  package var divergenceWeight: Float = 2
  /// Whether sqdf ignores samples without a positive reward. Use `false` for rewards that can be negative.
  package var masksNonPositive = true
  /// The number of last steps that draft-k and draft-kl differentiate through. A larger value trains earlier steps and
  /// takes more memory.
  package var differentiatedSteps = 1
  /// Noise samples per final state of draft-lv. A larger value is steadier and slower.
  package var noiseSamples = 2
  /// The number of last steps that refl draws from. A larger value trains earlier steps, from coarser pictures.
  package var lastSteps = 1
  /// Whether pixels in 0...1 are rescaled a second time as if they were in -1...1, like the published code of SQDF.
  package var rescalesPixelsTwice = false

  package init() {}

  package static let paths = ["consistencyModel"]

  package func check(_ problems: inout SettingProblems) {
    problems.positive(replayRatio, "gradient.replayRatio")
    problems.positive(replayEpochs, "gradient.replayEpochs")
    problems.positive(estimateSteps, "gradient.estimateSteps")
    problems.notNegative(divergenceWeight, "gradient.divergenceWeight")
    problems.positive(differentiatedSteps, "gradient.differentiatedSteps")
    problems.positive(noiseSamples, "gradient.noiseSamples")
    problems.positive(lastSteps, "gradient.lastSteps")
  }
}

/// Where the gradient of the reward comes from.
package enum GradientSource: String, SettingChoice {
  /// the reward servers of `reward.weights`
  case server
  /// a reward that the learner fits to their scores
  case proxy
}

/// How starting states are drawn from the replay.
package enum ReplaySampling: String, SettingChoice {
  /// all trajectories with equal probability, without replacement
  case uniform
  /// the newest trajectories
  case onPolicy = "on-policy"
  /// the trajectories with the highest rewards
  case reward
  /// trajectory and step together, with replacement, in proportion to max(reward, 0) γ^(T-1-i)
  case rewardGamma = "reward+gamma"
  /// all trajectories of the newest epoch, and a uniform draw from older ones
  case onPolicyRandom = "on-policy+random"
}

/// How the clean state is estimated that a noisy state leads to.
package enum CleanEstimate: String, SettingChoice {
  /// by a consistency model
  case consistency
  /// by one prediction of the model before training
  case oneStep = "one-step"
  /// by `gradient.estimateSteps` deterministic steps of the model before training
  case nStep = "n-step"
}
