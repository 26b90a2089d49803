// The configuration of an actor, and what identifies it.

package import Configuration

/// An actor's settings.
package struct ActorOptions: Sendable {
  /// The configuration of the run, with the endpoints that this actor connects to.
  package var configuration: Configuration
  /// Names the actor in logs and in its groups; two actors of a run must not share a name.
  package var name: String
  /// Larger at every later start of the same name.
  package var incarnation: Int
  /// Time after which a delivered group without an acknowledgement is delivered again.
  package var redelivery: Duration = .seconds(10)

  package init(_ configuration: Configuration, name: String, incarnation: Int) {
    self.configuration = configuration
    self.name = name
    self.incarnation = incarnation
  }

  var network: NetworkSettings { configuration.network }
}
