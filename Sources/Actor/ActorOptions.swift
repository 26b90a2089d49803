// What an actor needs to know, taken from the configuration that all roles share.

public import Configuration
public import Scoring
public import Transport

/// An actor's settings.
public struct ActorOptions: Sendable {
  /// Names it in logs and in the groups it makes; two actors of a run must not share a name.
  public var name: String
  /// Larger in every later life of the same name.
  public var incarnation: Int
  /// The learner's endpoint.
  public var learner: String
  /// Where the learner announces policies.
  public var notices: String
  /// The routers' endpoints for actors.
  public var routers: [String]
  /// Groups sampled at once.
  public var batchSize = 8
  /// Groups kept without an acknowledgement, or a score, before sampling pauses.
  public var undeliveredGroups = 64
  /// Bytes of groups kept without an acknowledgement before sampling pauses.
  public var undeliveredBytes = 1 << 30
  /// The rewards that dense rewards are made of.
  public var rewardSum = RewardSum([:])
  /// Rewards that are scored, kept with the trajectories, and not learned.
  public var shadowRewards: [String] = []
  /// Time between two signs of life.
  public var beat: Duration = .seconds(2)
  /// Silence after which a peer counts as lost.
  public var silence: Duration = .seconds(15)
  /// Time for which it waits for a first answer of the learner.
  public var connectTimeout: Duration = .seconds(30)
  /// Time after which an unanswered score is missing.
  public var scoreDeadline: Duration = .seconds(60)
  /// Time after which a delivered group without an acknowledgement is delivered again.
  public var redelivery: Duration = .seconds(10)
  /// Time on one batch after which this actor counts as stuck and ends.
  public var stuckLimit: Duration = .seconds(1800)
  /// Bytes of policy asked for at once.
  public var policyChunkBytes = 4 << 20
  /// Limits of sockets.
  public var socket = SocketOptions()

  /// What the configuration says.
  public init(_ configuration: Configuration, name: String, incarnation: Int) {
    let network = configuration.network
    self.name = name
    self.incarnation = incarnation
    learner = network.learner
    notices = network.notices
    routers = network.routers
    batchSize = configuration.sampling.batchSize
    undeliveredGroups = network.undeliveredGroups
    undeliveredBytes = network.undeliveredBytes
    rewardSum = RewardSum(configuration.reward.weights)
    shadowRewards = configuration.reward.shadow.sorted()
    beat = .seconds(network.heartbeatInterval)
    silence = .seconds(network.silenceLimit)
    connectTimeout = .seconds(network.connectTimeout)
    scoreDeadline = .seconds(network.scoreDeadline)
    stuckLimit = .seconds(configuration.run.stuckLimit)
    policyChunkBytes = network.policyChunkBytes
    socket.maximumFrameBytes = network.maximumMessageBytes
  }
}
