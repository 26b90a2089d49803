// Settings of the methods that follow a reward's gradient, and of the rewards that are learned for them.

extension Configuration {
  /// Methods that follow a reward's gradient: sqdf, draft-k, draft-kl, draft-lv, refl, and lasro as far as the replay
  /// goes.
  package struct Gradient: Codable, Sendable, Equatable {
    /// Where the gradient comes from: `server`, the reward servers of reward.weights, or `proxy`, a reward learned here
    /// from their scores.
    package var source = "server"
    /// How sqdf draws starting states from the replay: `uniform`, `on-policy`, `reward`, `reward+gamma` or `on-
    /// policy+random`.
    package var sampling = "reward+gamma"
    /// Starting states drawn for each trajectory collected; more learn more from each, and from older ones.
    package var replayRatio: Float = 1
    /// Epochs whose trajectories can be drawn, the present one among them; more are more diverse and further off-
    /// policy.
    package var replayEpochs = 10
    /// How sqdf foresees the picture that a step leads to: `consistency`, `one-step` or `n-step`; each is slower or
    /// coarser than the one before.
    package var estimate = "one-step"
    /// Steps of the estimate `n-step`; more are finer, and slower in proportion.
    package var estimateSteps = 4
    /// Folder of the consistency model's UNet, or of its whole model, in diffusers format; empty where it is not used.
    package var consistencyModel = ""
    /// Weight of the divergence from the model before training, of sqdf and draft-kl; larger keeps the policy nearer.
    package var divergenceWeight: Float = 2
    /// Whether sqdf leaves out what has no positive reward; off for rewards that can be negative.
    package var masksNonPositive = true
    /// Last steps that draft-k and draft-kl differentiate through; more learn earlier steps and take memory.
    package var differentiatedSteps = 1
    /// Times that draft-lv noises a final state anew; more are steadier and slower.
    package var noisings = 2
    /// Last steps among which refl draws; more learn earlier steps from coarser pictures.
    package var lateSteps = 1
    /// Whether pixels in 0...1 are mapped as if they were in -1...1 once more, as SQDF's published code does.
    package var mapsTwice = false

    /// All defaults.
    package init() {}
  }

  /// The reward that is learned from scores where gradient.source is proxy: linear layers on an image embedding.
  package struct Proxy: Codable, Sendable, Equatable {
    /// Folder of the CLIP model (transformers format) whose image embeddings it sees.
    package var embeddingModel = "Models/emoji-clip"
    /// What it adds where it knows little: `none`, `bootstrap` (the best of several heads) or `ucb` (a confidence
    /// bound).
    package var optimism = "bootstrap"
    /// Heads of `bootstrap`; more are more optimistic.
    package var heads = 4
    /// Deviation of the noise added to labels; larger makes the reward harder to learn, for experiments.
    package var labelNoise: Float = 0
    /// Passes over all labels when it is fitted, every epoch; more fit closer and take time.
    package var passes = 100
    /// Labels a fitting step; more are steadier and fewer steps.
    package var batchSize = 512
    /// Step size of fitting; larger fits faster, and too large not at all.
    package var learningRate: Float = 1e-3
    /// Labels kept, the newest; more know more and take time.
    package var capacity = 20_000
    /// Weight of the bonus of `ucb`; larger explores more.
    package var bonusWeight: Float = 0.01
    /// Ridge on the covariance in the bonus of `ucb`; larger makes directions that were never seen less attractive.
    package var bonusRidge: Float = 1e-3
    /// Limit of the bonus of `ucb`.
    package var bonusLimit: Float = 10

    /// All defaults.
    package init() {}
  }

  /// The surrogate of the method lasro: a reward on latents, learned from rankings.
  package struct Lasro: Codable, Sendable, Equatable {
    /// First epochs, in which the surrogate alone is trained; more let it rank better before the policy follows it.
    package var warmupEpochs = 5
    /// Fitting steps in each of the first epochs.
    package var warmupSteps = 200
    /// Fitting steps in each later epoch; more follow the policy closer.
    package var steps = 50
    /// Pairs a fitting step; more are steadier and slower.
    package var pairsPerStep = 16
    /// AdamW's step size of fitting.
    package var learningRate: Float = 1e-4
    /// AdamW's pull of the surrogate's weights towards zero.
    package var weightDecay: Float = 1e-4
    /// Whether the way down of the denoiser is trained with the head; off is faster and ranks less well.
    package var trainsBackbone = true
    /// Pairs whose rewards differ by less, in standard deviations of what is stored, are left out; larger asks less.
    package var pairThreshold: Float = 0.1
    /// Every so manyth group is never learned from, and judges the ranking; smaller judges better and learns from less.
    package var heldOutEvery = 5
    /// The part of held-out pairs that must be ranked right for the policy to follow; larger is more careful.
    package var minimumAccuracy: Float = 0.6
    /// Fits that may be added in an epoch whose ranking is not good enough; more try longer.
    package var refits = 2
    /// Part of the policy's samples that take a second step, to a timestep at random; larger trains later steps more.
    package var secondStepShare: Float = 0.5
    /// Folder of another run's replay with scored trajectories to begin from; empty for none.
    package var offlineReplay = ""

    /// All defaults.
    package init() {}
  }
}
