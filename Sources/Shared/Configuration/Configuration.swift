// One YAML file configures all roles. A section is a flat struct: the default on the line, and above it what a larger
// value means. Whatever the file does not say keeps its default; what nobody knows is an error (ConfigurationFile).

/// The whole configuration of a run. Every path in it is absolute once it has been read by `Configuration(file:)`.
package struct Configuration: Codable, Sendable, Equatable {
  /// Identity and place of the run.
  package var run = Run()
  /// How trajectories are sampled.
  package var sampling = Sampling()
  /// What is rewarded.
  package var reward = Reward()
  /// How the policy is trained.
  package var training = Training()
  /// Branches of the method b2-diffurl.
  package var branches = Branches()
  /// Methods that follow a reward's gradient.
  package var gradient = Gradient()
  /// The reward that is learned where gradient.source is proxy.
  package var proxy = Proxy()
  /// The surrogate of the method lasro.
  package var lasro = Lasro()
  /// How trajectories are stored.
  package var replay = Replay()
  /// Where the roles meet.
  package var network = Network()
  /// How often training is saved.
  package var checkpoint = Checkpoint()
  /// How often it is measured on prompts it was not trained on.
  package var evaluation = Evaluation()

  /// All defaults.
  package init() {}
}

extension Configuration {
  /// Identity and place of the run.
  package struct Run: Codable, Sendable, Equatable {
    /// Every random number of the run follows from it; any other value gives another run.
    package var seed: UInt64 = 1
    /// Folder of checkpoints, replay, metrics and pictures; made when it is not there.
    package var folder = "runs/run"
    /// Folder of the text-to-image model, in diffusers format.
    package var model = "Models/emoji-turbo"
    /// Seconds that an actor may take for one batch before it counts as stuck and ends with exit status 75, to be
    /// started again; more bear slower machines.
    package var stuckLimit: Double = 1800
    /// Worker threads of each process; 0 takes all cores, which is too many where several processes share a machine.
    package var threads = 0

    /// All defaults.
    package init() {}
  }

  /// How trajectories are sampled.
  package struct Sampling: Codable, Sendable, Equatable {
    /// Denoising steps a trajectory; more give finer pictures and cost time in proportion, in training too.
    package var steps = 4
    /// Classifier-free guidance, in sampling and training alike; only above 1 is it used, and then costs double.
    package var guidanceScale: Float = 1
    /// Noise of the DDIM steps; larger explores more, and 0 leaves nothing to learn from.
    package var eta: Float = 1
    /// Timestep spacing: `trailing`, `leading`, or `model` for what the model's scheduler says.
    package var timestepSpacing = "model"
    /// Trajectory groups between two policies; more give a steadier and slower ascent.
    package var groupsPerEpoch = 32
    /// Trajectories that share prompt and beginning; an even number for SDPO, which compares pairs, and branches to
    /// choose from for B2-DiffuRL.
    package var groupSize = 2
    /// Groups that an actor samples at once; more are faster and take memory. Another number rounds otherwise, so runs
    /// that are to agree bit by bit need the same.
    package var batchSize = 8
    /// Folder of an AutoencoderTiny (diffusers format) that decodes the pictures that are rewarded, many times faster
    /// and a little blurred; empty for the model's own autoencoder.
    package var rewardDecoder = ""
    /// Prompts to train on, beside those of `promptsFile`.
    package var prompts: [String] = []
    /// File of prompts to train on, one a line; empty for none. Lines that begin with # are comments.
    package var promptsFile = ""

    /// All defaults.
    package init() {}
  }

  /// What is rewarded.
  package struct Reward: Codable, Sendable, Equatable {
    /// Names of rewards and their weights; the sum is what is learned, and a larger weight counts more.
    package var weights: [String: Float] = ["alignment": 1]
    /// Names of rewards that are scored and logged, and not learned.
    package var shadow: [String] = []
    /// Names among them that other servers bring, as `python/stepwise_rewards`; the Swift reward servers leave them
    /// out.
    package var external: [String] = []
    /// Scores of each reward, the latest, by whose mean and deviation it is normalised before it is weighted; more are
    /// steadier and follow more slowly. 0 takes scores as they are.
    package var normalizationWindow = 0
    /// Folder of the CLIP model (transformers format) that the rewards `alignment` and `diversity` ask.
    package var alignmentModel = "Models/emoji-clip"
    /// Folder of the CLIP model that the reward `clip-score` asks, transformers' or open_clip's; empty where it is not
    /// used.
    package var clipScoreModel = ""
    /// Folder of the CLIP model that the reward `pick-score` asks; empty where it is not used.
    package var pickScoreModel = ""
    /// Folder of the CLIP model that the reward `hpsv2` asks; empty where it is not used.
    package var hpsv2Model = ""
    /// Folder of the CLIP vision model that the reward `aesthetic` asks; empty where it is not used.
    package var aestheticModel = ""
    /// File of the linear head of the reward `aesthetic`, safetensors; empty where it is not used.
    package var aestheticHead = ""
    /// Images that a reward server scores at once; more are faster and take memory.
    package var batchSize = 32
    /// Seconds for which a reward server waits for more images to fill a batch; larger is faster with many actors, and
    /// slower with few. 0 takes what is there.
    package var batchDelay: Double = 0
    /// Requests that a reward server takes at once; more fill batches, and leave less to other servers.
    package var requestsAtOnce = 4

    /// All defaults.
    package init() {}
  }

  /// How the policy is trained.
  package struct Training: Codable, Sendable, Equatable {
    /// The method: `sdpo`, `ddpo`, `b2-diffurl`, `sqdf`, `draft-k`, `draft-lv`, `draft-kl`, `refl` or `lasro`;
    /// docs/methods.md says what each needs.
    package var algorithm = "sdpo"
    /// Policies to make; more learn longer.
    package var epochs = 50
    /// AdamW's step size; larger learns faster, and too large ruins the pictures.
    package var learningRate: Float = 1e-4
    /// AdamW's decay of the mean of gradients; larger remembers longer.
    package var beta1: Float = 0.9
    /// AdamW's decay of the mean of squared gradients; larger remembers longer.
    package var beta2: Float = 0.999
    /// AdamW's pull of the weights towards zero.
    package var weightDecay: Float = 1e-4
    /// AdamW's floor under the root of squared gradients; larger damps steps where gradients are small.
    package var epsilon: Float = 1e-8
    /// Gradients longer than this are shortened to it; larger bounds less.
    package var maximumGradientNorm: Float = 1
    /// Whether the final step is trained as the others are. Its noise comes after the picture that is scored, so its
    /// expected gradient is 0 and, as its noise is the smallest, its spread the largest: off learns faster.
    package var finalStep = true
    /// What the method trains on (SDPO's pairs, DDPO's trajectories) whose gradients are computed at once; more are
    /// faster and take memory.
    package var minibatchSize = 8
    /// Minibatches to an optimiser step; more make steps fewer and steadier.
    package var accumulation = 1
    /// Whether the denoiser's units are computed a second time for their gradients instead of being kept: a third more
    /// time, much less memory, the same gradients.
    package var gradientCheckpointing = false
    /// Rank of the LoRA matrices; larger can change more, and is larger to send.
    package var loraRank = 4
    /// Numerator of the LoRA scale alpha / rank; larger makes each step count more.
    package var loraAlpha: Float = 4
    /// Ends of the names of the attention projections that are adapted, as peft's target_modules; `attn1.to_q` and its
    /// like leave the prompt's attention as it is, so that less of what is learned is a prompt's own.
    package var loraTargets = ["to_q", "to_k", "to_v", "to_out.0"]
    /// How far a step's log-probability, or with DDPO's loss the ratio, may move before the clipped loss takes over;
    /// larger trusts old samples more.
    package var logRatioClip: Float = 1e-4
    /// Limit of an advantage's size; larger lets outliers pull harder.
    package var advantageClip: Float = 5
    /// Weight of step i is lambda^i; below 1 late steps count less.
    package var lambda: Float = 0.99
    /// Divisor of the log-ratio difference; larger lets a given reward difference move the policy further.
    package var logScale: Float = 1
    /// Discount of the rewards of later steps; larger looks further ahead.
    package var discount: Float = 0.99
    /// Whether advantages are normalised a prompt and step, rather than over the whole batch.
    package var normalizesPerPrompt = true
    /// Returns kept for each prompt and step to normalise by; more are steadier and follow more slowly.
    package var statisticsBufferSize = 32
    /// Below so many returns of a prompt and step, the whole batch's statistics serve.
    package var statisticsMinimumCount = 16
    /// How many policies old the trajectories trained on may be; larger keeps actors busier, 0 is exactly repeatable.
    package var maximumStaleness = 0

    /// All defaults.
    package init() {}
  }

  /// Branches of the method b2-diffurl: trajectories of a group that split where the trained interval begins.
  package struct Branches: Codable, Sendable, Equatable {
    /// The method whose loss is taken: `ddpo` or `sdpo`.
    package var base = "ddpo"
    /// Last steps trained at the first stage; longer begins with more of the trajectory.
    package var shortestInterval = 14
    /// Last steps trained at the last stage, at most sampling.steps.
    package var longestInterval = 20
    /// Epochs over which the interval grows from the shortest to the longest; more grow it more slowly.
    package var stages = 100
    /// Epochs before the present one whose scores normalise with it; more are steadier and follow more slowly.
    package var history = 8
    /// The best of a branch is trained on from this many deviations above its prompt's mean; larger keeps fewer.
    package var positiveThreshold: Float = 0.5
    /// The worst of a branch is trained on below this many deviations; smaller keeps fewer.
    package var negativeThreshold: Float = -0.5

    /// All defaults.
    package init() {}
  }

  /// How trajectories are stored.
  package struct Replay: Codable, Sendable, Equatable {
    /// Trajectories kept; the oldest segments go first.
    package var maximumTrajectories = 100_000
    /// Bytes kept; the oldest segments go first.
    package var maximumBytes = 10_737_418_240
    /// Groups to a segment; larger files, sealed less often.
    package var segmentGroups = 256
    /// Bytes to a segment, whichever limit is met first; a restart reads so much journal.
    package var segmentBytes = 268_435_456
    /// Whether a group is acknowledged only once it is on the disk. Off, it is as soon as the operating system has it:
    /// a learner that is killed loses nothing, a machine that fails what it had not written.
    package var waitsForDisk = true
    /// Bytes of groups kept in memory to be trained on again; more read less from the disk.
    package var cacheBytes = 268_435_456
    /// How often a group is to be trained on, on average: actors get no work while groups are trained on less often
    /// than that, and training waits while they are more often. 0 sets no limit.
    package var samplesPerInsert = 0.0
    /// Samples by which the two may differ, with `samplesPerInsert`; larger lets either side run further ahead.
    package var errorBuffer = 1000.0
    /// Groups that are stored before any is trained on, with `samplesPerInsert`; more begin later and better mixed.
    package var minimumSize = 1

    /// All defaults.
    package init() {}
  }

  /// Where the roles meet. Endpoints are ZeroMQ's: `tcp://ADDRESS:PORT`.
  package struct Network: Codable, Sendable, Equatable {
    /// Where the learner takes actors in.
    package var learner = "tcp://127.0.0.1:5801"
    /// Where the learner announces new policies.
    package var notices = "tcp://127.0.0.1:5802"
    /// Where routers take score requests of actors, one endpoint a router; an actor changes over when one is silent.
    package var routers = ["tcp://127.0.0.1:5803"]
    /// Where the same routers take reward servers in, in the same order.
    package var routerBackends = ["tcp://127.0.0.1:5804"]
    /// Folder of keys made by `stepwise keys`; every connection is encrypted then, and only keys on its list connect.
    /// Empty for none.
    package var keys = ""
    /// This process's own key file; empty for the one that `keys` has for its role.
    package var keyFile = ""
    /// Whether endpoints that other machines can reach may be used although nothing is encrypted or checked.
    package var insecure = false
    /// Seconds for which a role waits for one that is not there yet.
    package var connectTimeout: Double = 30
    /// Seconds between two signs of life; larger makes less traffic and notices a silence later.
    package var heartbeatInterval: Double = 2
    /// Seconds of silence after which a peer counts as lost; too few count a busy one as lost.
    package var silenceLimit: Double = 15
    /// Seconds after which an unanswered score is missing.
    package var scoreDeadline: Double = 60
    /// Seconds after which work that an actor took and did not deliver is given to another.
    package var leaseDuration: Double = 120
    /// Bytes of the largest message accepted; larger pictures and batches need more.
    package var maximumMessageBytes = 67_108_864
    /// Bytes of policy to a message.
    package var policyChunkBytes = 4_194_304
    /// Groups that an actor keeps undelivered before it stops sampling; more bear a longer absence of the learner.
    package var undeliveredGroups = 64
    /// Bytes of groups that an actor keeps undelivered before it stops sampling, whichever limit is met first.
    package var undeliveredBytes = 1_073_741_824

    /// All defaults.
    package init() {}
  }

  /// How often training is saved.
  package struct Checkpoint: Codable, Sendable, Equatable {
    /// Epochs between two checkpoints; more lose more work when the machine fails.
    package var every = 5
    /// Checkpoints kept, the newest ones; more take disk.
    package var keep = 3
    /// Pictures of each held-out prompt (`evaluation.prompts`) that are scored at every checkpoint; the checkpoint that
    /// scores best is kept beside the newest. More choose better and take time; 0 measures none.
    package var heldOutPictures = 1

    /// All defaults.
    package init() {}
  }

  /// How often training is measured on prompts it was not trained on.
  package struct Evaluation: Codable, Sendable, Equatable {
    /// Prompts to measure on, beside those of `promptsFile`.
    package var prompts: [String] = []
    /// File of prompts to measure on, one a line; empty for none.
    package var promptsFile = ""
    /// Pictures a prompt; more make the standard error smaller.
    package var seeds = 4
    /// Epochs between two sheets of samples; 0 makes none.
    package var every = 10

    /// All defaults.
    package init() {}
  }
}
