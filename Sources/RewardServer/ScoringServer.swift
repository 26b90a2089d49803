// A reward server: one thread for the network, one for the scorers. It offers as many requests as it has credits,
// answers each once, and beats as long as its scorers get on: one that is stuck falls silent, and is taken for lost.

public import Logging
internal import Messages
public import Rewards
public import Transport

/// What a reward server needs to know.
public struct ScoringServerOptions: Sendable {
  /// Names it in logs and errors.
  public var name: String
  /// Endpoints of the routers it offers itself to.
  public var routers: [String]
  /// Requests it takes at once from each router; the next one waits here while one is scored.
  public var credits = 2
  /// Images to a call of a scorer.
  public var batchSize = 32
  /// How long a call may wait for more images to fill a batch.
  public var batchDelay: Duration = .zero
  /// Time between two offers, which are its signs of life.
  public var beat: Duration = .seconds(2)
  /// Time on one request after which it counts itself as stuck and falls silent.
  public var patience: Duration = .seconds(120)
  /// Time for which it waits for a first router before it ends with an error.
  public var connectTimeout: Duration = .seconds(30)
  /// Limits of its sockets.
  public var socket = SocketOptions()

  /// Options with the defaults above.
  public init(name: String, routers: [String]) {
    self.name = name
    self.routers = routers
  }
}

/// A running reward server.
public final class ScoringServer: Sendable {
  private let service: Service<[String]>

  /// Loads the scorers and starts offering them.
  ///
  /// - Parameter scorers: makes them, on the thread that will use them.
  /// - Throws: what `scorers` threw, or `TransportError`.
  public init(
    _ context: Context, _ options: ScoringServerOptions, logger: Logger,
    scorers: @escaping @Sendable () throws -> [any Scorer]
  ) throws {
    service = try Service(name: "reward server") { bell, stop, announce in
      let desk = ScoringDesk(bell: bell)
      let offered = Mailbox<[RewardVersion]>()
      let worker = ServiceThread(name: "scoring") {
        defer { offered.close() }
        let loop = ScoringLoop(try scorers(), batchSize: options.batchSize)
        offered.put(loop.rewards)
        desk.work(loop, batchDelay: options.batchDelay)
      }
      guard let rewards = offered.take() else { return try worker.join() }
      announce(rewards.map(\.name))
      var connection = ScoringConnection(options: options, rewards: rewards, desk: desk, logger: logger)
      do {
        try connection.run(context, bell: bell, stop: stop)
      } catch {
        desk.close()
        throw error
      }
      desk.close()
      try worker.join()
    }
  }

  /// Names of the rewards it offers.
  public var rewards: [String] { service.address }
  /// Asks it to end: it answers what it has begun, and says goodbye.
  public func stop() { service.stop() }
  /// Blocks until it has ended.
  ///
  /// - Throws: the error that ended it.
  public func join() throws { try service.join() }
  /// Suspends until it has ended.
  ///
  /// - Throws: the error that ended it.
  public func ended() async throws { try await service.ended() }
}
