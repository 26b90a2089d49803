// What a client of reward servers needs to know, taken from the configuration that all roles share.

package import Configuration
package import Transport

/// A `ScoreClient`'s settings.
package struct ScoreClientOptions: Sendable {
  /// Names it in errors.
  package var name: String
  /// The routers' endpoints for clients.
  package var routers: [String]
  /// Images to a request; fewer spread a batch over more servers.
  package var imagesPerRequest = 8
  /// Time after which an unanswered score is missing.
  package var deadline: Duration = .seconds(60)
  /// Time for which it waits for the rewards it needs to be offered.
  package var connectTimeout: Duration = .seconds(30)
  /// Time between two signs of life.
  package var beat: Duration = .seconds(2)
  /// Silence after which a router counts as lost.
  package var silence: Duration = .seconds(15)
  /// Limits of its sockets.
  package var socket = SocketOptions()

  /// Options with the defaults above.
  package init(name: String, routers: [String]) {
    self.name = name
    self.routers = routers
  }

  /// What the configuration says.
  package init(_ configuration: Configuration, name: String) {
    let network = configuration.network
    self.init(name: name, routers: network.routers)
    deadline = .seconds(network.scoreDeadline)
    connectTimeout = .seconds(network.connectTimeout)
    beat = .seconds(network.heartbeatInterval)
    silence = .seconds(network.silenceLimit)
    socket.maximumFrameBytes = network.maximumMessageBytes
  }
}

/// Scores cannot be had at all: which reward or router, what was expected, what was found, what to do.
package struct ScoringError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
