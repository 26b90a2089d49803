// The section `training`.

/// How the policy is trained.
package struct TrainingSettings: SettingsSection {
  /// The training method. [methods.md](methods.md) describes the methods and the settings that each one reads.
  package var algorithm = MethodName.sdpo
  /// Policy versions to train. A larger value trains longer.
  package var epochs = 50
  /// AdamW: step size. A larger value learns faster; too large a value ruins the pictures.
  package var learningRate: Float = 1e-4
  /// AdamW: decay of the mean of gradients. A larger value remembers longer.
  package var beta1: Float = 0.9
  /// AdamW: decay of the mean of squared gradients. A larger value remembers longer.
  package var beta2: Float = 0.999
  /// AdamW: weight decay. A larger value pulls the weights towards zero more strongly.
  package var weightDecay: Float = 1e-4
  /// AdamW: the number added to the root of the mean of squared gradients. A larger value damps the steps of small
  /// gradients.
  package var epsilon: Float = 1e-8
  /// Gradients with a larger norm are scaled down to this norm. A larger value clips less.
  package var maximumGradientNorm: Float = 1
  /// Whether the final step is trained. The noise of the final step is added after the scored picture, so its expected
  /// gradient is 0, and its variance is the largest because its noise is the smallest. `false` learns faster.
  package var finalStep = true
  /// Units whose gradients are computed at once: pairs for SDPO, trajectories for DDPO. A larger value is faster and
  /// takes more memory.
  package var minibatchSize = 8
  /// Minibatches per optimizer step. A larger value makes fewer and steadier steps.
  package var accumulation = 1
  /// Whether the activations of the denoiser are recomputed for the gradients instead of being kept. `true` takes a
  /// third more time and much less memory; the gradients are the same.
  package var gradientCheckpointing = false
  /// Rank of the LoRA matrices. A larger value can change more, and makes policies larger to send.
  package var loraRank = 4
  /// Numerator of the LoRA scale alpha / rank. A larger value makes each step change more.
  package var loraAlpha: Float = 4
  /// Suffixes of the names of the attention projections that LoRA adapts, like `target_modules` of peft. Names such as
  /// `attn1.to_q` adapt self-attention alone, so that training generalizes better to other prompts.
  package var loraTargets = ["to_q", "to_k", "to_v", "to_out.0"]
  /// How far the log-probability of a step (with the loss of DDPO: the ratio) may move before the loss is clipped. A
  /// larger value trusts old samples more.
  package var logRatioClip: Float = 1e-4
  /// Largest absolute value of an advantage. A larger value lets outliers count more.
  package var advantageClip: Float = 5
  /// The loss of step i is weighted by lambda^i. A value below 1 makes late steps count less.
  package var lambda: Float = 0.99
  /// Divisor of the difference of log-ratios. With a larger value, the same difference in reward moves the policy
  /// further.
  package var logScale: Float = 1
  /// Discount of the rewards of later steps. A larger value looks further ahead.
  package var discount: Float = 0.99
  /// Whether advantages are normalized per prompt and step (`true`) or over the whole batch (`false`).
  package var normalizesPerPrompt = true
  /// Returns per prompt and step that are kept for normalization. A larger value is steadier and follows changes more
  /// slowly.
  package var statisticsBufferSize = 32
  /// With fewer returns of a prompt and step than this, the statistics of the whole batch are used. A larger value uses
  /// those of the batch for longer.
  package var statisticsMinimumCount = 16
  /// The largest staleness of a trajectory that is trained on, in policy versions. A larger value keeps actors busier;
  /// 0 makes a run exactly repeatable.
  package var maximumStaleness = 0

  package init() {}

  package func check(_ problems: inout SettingProblems) {
    problems.positive(epochs, "training.epochs")
    problems.positive(learningRate, "training.learningRate")
    for (value, key) in [(beta1, "training.beta1"), (beta2, "training.beta2")] {
      problems.require(value >= 0 && value < 1, key, "at least 0 and below 1", value)
    }
    problems.notNegative(weightDecay, "training.weightDecay")
    problems.positive(epsilon, "training.epsilon")
    problems.positive(maximumGradientNorm, "training.maximumGradientNorm")
    problems.positive(minibatchSize, "training.minibatchSize")
    problems.positive(accumulation, "training.accumulation")
    problems.positive(loraRank, "training.loraRank")
    problems.positive(loraAlpha, "training.loraAlpha")
    problems.require(!loraTargets.isEmpty, "training.loraTargets", "at least one attention projection", "none")
    problems.positive(logRatioClip, "training.logRatioClip")
    problems.positive(advantageClip, "training.advantageClip")
    problems.require(lambda > 0 && lambda <= 1, "training.lambda", "above 0 and at most 1", lambda)
    problems.positive(logScale, "training.logScale")
    problems.within(0...1, discount, "training.discount")
    problems.require(
      statisticsBufferSize >= 2, "training.statisticsBufferSize", "at least 2, because one return has no spread",
      statisticsBufferSize)
    problems.require(
      (1...max(1, statisticsBufferSize)).contains(statisticsMinimumCount), "training.statisticsMinimumCount",
      "1 to training.statisticsBufferSize (\(statisticsBufferSize))", statisticsMinimumCount)
    problems.notNegative(maximumStaleness, "training.maximumStaleness")
  }
}

/// The training methods.
package enum MethodName: String, SettingChoice {
  case sdpo, ddpo
  case b2DiffuRL = "b2-diffurl"
  case sqdf
  case draftK = "draft-k"
  case draftKL = "draft-kl"
  case draftLV = "draft-lv"
  case refl, lasro
}
