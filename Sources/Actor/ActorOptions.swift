// What an actor needs to know, taken from the configuration that all roles share.

package import Configuration
package import Messages
package import RewardClient
package import Transport

/// An actor's settings.
package struct ActorOptions: Sendable {
  /// Names it in logs and in the groups it makes; two actors of a run must not share a name.
  package var name: String
  /// Larger in every later life of the same name.
  package var incarnation: Int
  /// The learner's endpoint.
  package var learner: String
  /// Where the learner announces policies.
  package var notices: String
  /// The routers' endpoints for actors.
  package var routers: [String]
  /// Groups sampled at once.
  package var batchSize = 8
  /// Groups kept without an acknowledgement, or a score, before sampling pauses.
  package var undeliveredGroups = 64
  /// Bytes of groups kept without an acknowledgement before sampling pauses.
  package var undeliveredBytes = 1 << 30
  /// The rewards that dense rewards are made of.
  package var rewardSum = RewardSum([:])
  /// Rewards that are scored, kept with the trajectories, and not learned.
  package var shadowRewards: [String] = []
  /// Time between two signs of life.
  package var beat: Duration = .seconds(2)
  /// Silence after which a peer counts as lost.
  package var silence: Duration = .seconds(15)
  /// Time for which it waits for a first answer of the learner.
  package var connectTimeout: Duration = .seconds(30)
  /// Time after which an unanswered score is missing.
  package var scoreDeadline: Duration = .seconds(60)
  /// Time after which a delivered group without an acknowledgement is delivered again.
  package var redelivery: Duration = .seconds(10)
  /// Time on one batch after which this actor counts as stuck and ends.
  package var stuckLimit: Duration = .seconds(1800)
  /// Bytes of policy asked for at once.
  package var policyChunkBytes = 4 << 20
  /// Limits of sockets.
  package var socket = SocketOptions()

  /// What the configuration says.
  package init(_ configuration: Configuration, name: String, incarnation: Int) {
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
