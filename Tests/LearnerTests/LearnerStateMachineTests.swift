import Learner
import Messages
import Replay
import Roles
import Testing
import Transport

@Suite struct LearnerStateMachineTests {
  private var machine: LearnerStateMachine
  private let ada: [UInt8] = [1], ben: [UInt8] = [2]

  init() throws {
    let bench = try Bench()
    bench.remove()
    machine = LearnerStateMachine(
      bench.settings, GroupJudge(runID: "run-1") { _ in nil }, stored: [], limiter: RateLimiter(nil), incarnations: [:])
    _ = machine.publish(version: 0, bytes: policyBytes(0), tensorCount: 3, now: .zero)
    for (peer, name) in [(ada, "ada"), (ben, "ben")] {
      _ = receive(.hello(Hello(role: .actor, name: name, incarnation: 1)), from: peer)
      _ = receive(.workRequest(WorkRequest(capacity: 4)), from: peer)
    }
  }

  private mutating func receive(_ message: Message, from peer: [UInt8], at now: Duration = .zero) -> [String] {
    Self.sent(machine.receive(message, frame: Frame([]), from: peer, now: now))
  }

  /// The names and receivers of the sent messages.
  private static func sent(_ effects: [LearnerStateMachine.Effect]) -> [String] {
    effects.compactMap { if case .send(let message, let peer) = $0 { "\(message.name) to \(peer[0])" } else { nil } }
  }

  @Test mutating func `a finished learner waits until every actor has said goodbye`() {
    #expect(!machine.mayClose(now: .seconds(1000)))
    #expect(Self.sent(machine.finish("enough", now: .seconds(1))).sorted() == ["run_finished to 1", "run_finished to 2"])
    #expect(!machine.mayClose(now: .seconds(1)))
    // The work of an actor that leaves is not assigned again.
    #expect(receive(.goodbye(Goodbye()), from: ada, at: .seconds(1)).isEmpty)
    #expect(Self.sent(machine.tick(now: .seconds(2))).isEmpty)
    #expect(!machine.mayClose(now: .seconds(2)))
    #expect(receive(.goodbye(Goodbye()), from: ben, at: .seconds(2)).isEmpty)
    #expect(machine.mayClose(now: .seconds(2)))
  }

  @Test mutating func `a finished learner tells the end again to every actor that sends a message`() {
    _ = machine.finish("enough", now: .zero)
    #expect(receive(.workRequest(WorkRequest(capacity: 1)), from: ada) == ["run_finished to 1"])
    #expect(receive(.hello(Hello(role: .actor, name: "ben", incarnation: 1)), from: ben) == ["run_finished to 2"])
    // An actor that joins now is told too, and awaited.
    let cy = Hello(role: .actor, name: "cy", incarnation: 1)
    #expect(receive(.hello(cy), from: [3]) == ["run_finished to 3"])
    for peer in [ada, ben] { _ = receive(.goodbye(Goodbye()), from: peer) }
    #expect(!machine.mayClose(now: .zero))
    _ = receive(.goodbye(Goodbye()), from: [3])
    #expect(machine.mayClose(now: .zero))
  }

  @Test mutating func `a finished learner waits for a lost actor no longer than the silence limit`() {
    _ = machine.finish("enough", now: .seconds(100))
    #expect(!machine.mayClose(now: .seconds(114)))
    #expect(machine.mayClose(now: .seconds(115)))
  }
}
