// The configuration of an actor, and the values that identify it.

package import Configuration

package struct ActorOptions: Sendable {
  /// The configuration of the run, with the endpoints that this actor connects to.
  package var configuration: Configuration
  /// Name of the actor in logs and in its groups, unique in the run.
  package var name: String
  /// Counts the starts of the named actor.
  package var incarnation: Int
  /// Time after which a group without an acknowledgement is delivered again.
  package var redelivery: Duration = .seconds(10)

  package init(_ configuration: Configuration, name: String, incarnation: Int) {
    (self.configuration, self.name, self.incarnation) = (configuration, name, incarnation)
  }

  var network: NetworkSettings { configuration.network }
}
