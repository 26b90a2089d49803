// A learner that assigns work and keeps groups in memory, with faults on request.

import Messages
import Synchronization
import Threads
import Transport

final class FakeLearner: Sendable {
  struct Endpoints: Sendable {
    let learner: String
    let notices: String
  }

  struct Policy: Sendable {
    var bytes: [UInt8]
    var notice: PolicyNotice
  }

  struct Faults: Sendable {
    var refusal: String?
    /// Number of deliveries that it ignores before it acknowledges one.
    var forgotten = 0
    /// Number of repeated deliveries before the first acknowledgement.
    var silentDuplicates = 0
    /// Number of groups after which it behaves like a restarted learner, which knows no actor.
    var restartAfter: Int?
    /// Number of messages that it ignores after the restart.
    var deafness = 0
    /// The largest size of a chunk, in bytes.
    var chunkBytes = 1 << 20
    var finishes = true
  }

  struct Seen: Sendable {
    var groups: [TrajectoryGroup] = []
    var hellos = 0
    var goodbyes = 0
    var duplicates = 0
    /// Number of groups when it sent the first acknowledgement.
    var groupsInSilence = 0
  }

  enum Event: Sendable {
    case group, goodbye
  }

  private let box: Box
  private let service: Service<Endpoints>

  /// - Parameter wanted: Number of groups to assign, with the prompts in turn.
  init(
    _ context: Context, wanted: Int, prompts: [String], policies: [Policy], faults: Faults = Faults(),
    endpoint: String = "tcp://127.0.0.1:*"
  ) throws {
    let box = Box(Seen())
    self.box = box
    service = try Service(name: "fake learner") { waker, stop, announce in
      let socket = try Socket(context, .router)
      let publisher = try Socket(context, .publisher)
      let notices = endpoint.hasPrefix("inproc") ? endpoint + "-notices" : endpoint
      announce(Endpoints(learner: try socket.bind(endpoint), notices: try publisher.bind(notices)))
      var loop = Loop(wanted: wanted, prompts: prompts, policies: policies, faults: faults, box: box)
      while !stop.isSet {
        _ = try Poller(waker: waker).wait(for: [socket.readable], timeout: .milliseconds(50))
        while let frames = try socket.receive() {
          for answer in try loop.answers(to: Message(decoding: frames[1], from: "actor")) {
            _ = try socket.send([frames[0], answer.encode()])
          }
        }
      }
    }
  }

  /// Waits for an event; false after the time limit.
  func wait(for event: Event) -> Bool {
    while let found = box.events.take(timeout: .seconds(60)) { if found == event { return true } }
    return false
  }

  var endpoints: Endpoints { service.address }
  var found: Seen { box.value.withLock { $0 } }

  func stop() throws {
    service.stop()
    try service.join()
  }

  final class Box: Sendable {
    let value: Mutex<Seen>
    let events = Mailbox<Event>()
    init(_ seen: Seen) { value = Mutex(seen) }
  }

  struct Loop {
    let wanted: Int
    let prompts: [String]
    let policies: [Policy]
    var faults: Faults
    let box: Box
    var next = 0
    var knowsActor = false
    var isStarting = false

    mutating func answers(to message: Message) -> [Message] {
      if isStarting, faults.deafness > 0 {
        faults.deafness -= 1
        return []
      }
      // After a restart, the first message is refused, whatever it is.
      if isStarting {
        isStarting = false
        return [.refusal(Refusal(reason: "say hello first"))]
      }
      switch message {
      case .hello:
        box.value.withLock { $0.hellos += 1 }
        if let refusal = faults.refusal { return [.refusal(Refusal(reason: refusal))] }
        knowsActor = true
        return [.welcome(Welcome(runID: "run", runSeed: 42, policy: policies[0].notice))]
      case .goodbye:
        box.value.withLock { $0.goodbyes += 1 }
        box.events.put(.goodbye)
        return []
      case _ where !knowsActor: return [.refusal(Refusal(reason: "say hello first"))]
      case .workRequest(let request):
        let numbers = next..<min(wanted, next + request.capacity)
        next = numbers.upperBound
        return [.work(Work(assignments: numbers.map(assignment)))]
      case .policyRequest(let request):
        guard let policy = policies.first(where: { $0.notice.version == request.version }) else { return [] }
        let range = request.offset..<min(policy.bytes.count, request.offset + min(request.byteCount, faults.chunkBytes))
        return [
          .policyChunk(
            PolicyChunk(
              version: request.version, offset: request.offset, bytes: Array(policy.bytes[range]),
              total: policy.bytes.count, digest: policy.notice.digest))
        ]
      case .group(let group): return take(group)
      default: return []
      }
    }

    func assignment(_ number: Int) -> Assignment {
      Assignment(
        number: number, epoch: 0, prompt: prompts[number % prompts.count], groupSize: 2,
        policyVersion: policies[number * policies.count / wanted].notice.version)
    }

    mutating func take(_ group: TrajectoryGroup) -> [Message] {
      if faults.forgotten > 0 {
        faults.forgotten -= 1
        return []
      }
      let count = box.value.withLock { seen in
        if seen.groups.contains(where: { $0.number == group.number }) {
          seen.duplicates += 1
        } else {
          seen.groups.append(group)
        }
        if seen.groupsInSilence == 0, seen.duplicates >= faults.silentDuplicates {
          seen.groupsInSilence = seen.groups.count
        }
        return seen.groups.count
      }
      box.events.put(.group)
      if box.value.withLock({ $0.duplicates < faults.silentDuplicates }) { return [] }
      if let limit = faults.restartAfter, count >= limit {
        faults.restartAfter = nil
        knowsActor = false
        isStarting = true
        return []
      }
      let done: [Message] = count == wanted && faults.finishes ? [.runFinished(RunFinished(reason: "enough"))] : []
      return [.acknowledgement(Acknowledgement(numbers: [group.number]))] + done
    }
  }
}
