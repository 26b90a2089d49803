// Settings of the methods that follow a reward's gradient, and of the rewards that are learned for them.

extension Configuration {
  /// Methods that follow a reward's gradient: sqdf, draft-k, draft-kl, draft-lv, refl, and lasro as far as the replay
  /// goes.
  public struct Gradient: Codable, Sendable, Equatable {
    /// Where the gradient comes from: `server`, the reward servers of reward.weights, or `proxy`, a reward learned here
    /// from their scores.
    public var source = "server"
    /// How sqdf draws starting states from the replay: `uniform`, `on-policy`, `reward`, `reward+gamma` or `on-
    /// policy+random`.
    public var sampling = "reward+gamma"
    /// Starting states drawn for each trajectory collected; more learn more from each, and from older ones.
    public var replayRatio: Float = 1
    /// Epochs whose trajectories can be drawn, the present one among them; more are more diverse and further off-
    /// policy.
    public var replayEpochs = 10
    /// How sqdf foresees the picture that a step leads to: `consistency`, `one-step` or `n-step`; each is slower or
    /// coarser than the one before.
    public var estimate = "one-step"
    /// Steps of the estimate `n-step`; more are finer, and slower in proportion.
    public var estimateSteps = 4
    /// Folder of the consistency model's UNet, or of its whole model, in diffusers format; empty where it is not used.
    public var consistencyModel = ""
    /// Weight of the divergence from the model before training, of sqdf and draft-kl; larger keeps the policy nearer.
    public var divergenceWeight: Float = 2
    /// Whether sqdf leaves out what has no positive reward; off for rewards that can be negative.
    public var masksNonPositive = true
    /// Last steps that draft-k and draft-kl differentiate through; more learn earlier steps and take memory.
    public var differentiatedSteps = 1
    /// Times that draft-lv noises a final state anew; more are steadier and slower.
    public var noisings = 2
    /// Last steps among which refl draws; more learn earlier steps from coarser pictures.
    public var lateSteps = 1
    /// Whether pixels in 0...1 are mapped as if they were in -1...1 once more, as SQDF's published code does.
    public var mapsTwice = false

    /// All defaults.
    public init() {}
  }

  /// The reward that is learned from scores where gradient.source is proxy: linear layers on an image embedding.
  public struct Proxy: Codable, Sendable, Equatable {
    /// Folder of the CLIP model (transformers format) whose image embeddings it sees.
    public var embeddingModel = "Models/emoji-clip"
    /// What it adds where it knows little: `none`, `bootstrap` (the best of several heads) or `ucb` (a confidence
    /// bound).
    public var optimism = "bootstrap"
    /// Heads of `bootstrap`; more are more optimistic.
    public var heads = 4
    /// Deviation of the noise added to labels; larger makes the reward harder to learn, for experiments.
    public var labelNoise: Float = 0
    /// Passes over all labels when it is fitted, every epoch; more fit closer and take time.
    public var passes = 100
    /// Labels a fitting step; more are steadier and fewer steps.
    public var batchSize = 512
    /// Step size of fitting; larger fits faster, and too large not at all.
    public var learningRate: Float = 1e-3
    /// Labels kept, the newest; more know more and take time.
    public var capacity = 20_000
    /// Weight of the bonus of `ucb`; larger explores more.
    public var bonusWeight: Float = 0.01
    /// Ridge on the covariance in the bonus of `ucb`; larger makes directions that were never seen less attractive.
    public var bonusRidge: Float = 1e-3
    /// Limit of the bonus of `ucb`.
    public var bonusLimit: Float = 10

    /// All defaults.
    public init() {}
  }

  /// The surrogate of the method lasro: a reward on latents, learned from rankings.
  public struct Lasro: Codable, Sendable, Equatable {
    /// First epochs, in which the surrogate alone is trained; more let it rank better before the policy follows it.
    public var warmupEpochs = 5
    /// Fitting steps in each of the first epochs.
    public var warmupSteps = 200
    /// Fitting steps in each later epoch; more follow the policy closer.
    public var steps = 50
    /// Pairs a fitting step; more are steadier and slower.
    public var pairsPerStep = 16
    /// AdamW's step size of fitting.
    public var learningRate: Float = 1e-4
    /// AdamW's pull of the surrogate's weights towards zero.
    public var weightDecay: Float = 1e-4
    /// Whether the way down of the denoiser is trained with the head; off is faster and ranks less well.
    public var trainsBackbone = true
    /// Pairs whose rewards differ by less, in standard deviations of what is stored, are left out; larger asks less.
    public var pairThreshold: Float = 0.1
    /// Every so manyth group is never learned from, and judges the ranking; smaller judges better and learns from less.
    public var heldOutEvery = 5
    /// The part of held-out pairs that must be ranked right for the policy to follow; larger is more careful.
    public var minimumAccuracy: Float = 0.6
    /// Fits that may be added in an epoch whose ranking is not good enough; more try longer.
    public var refits = 2
    /// Part of the policy's samples that take a second step, to a timestep at random; larger trains later steps more.
    public var secondStepShare: Float = 0.5
    /// Folder of another run's replay with scored trajectories to begin from; empty for none.
    public var offlineReplay = ""

    /// All defaults.
    public init() {}
  }
}
