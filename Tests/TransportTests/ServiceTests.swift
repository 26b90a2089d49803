// Mailboxes, services, and absent or silent peers.

import Roles
import Testing
import Threads
import Transport

@Suite
struct ServiceTests {
  struct Stumble: Error, Equatable {}

  @Test func `a mailbox keeps the order across threads and ends when it is closed`() throws {
    let mailbox = Mailbox<Int>()
    let sender = ServiceThread(name: "sender") {
      for number in 0..<1000 { mailbox.put(number) }
      mailbox.close()
      mailbox.put(-1)
    }
    var found: [Int] = []
    while let number = mailbox.take() { found.append(number) }
    try sender.join()
    #expect(found == Array(0..<1000))
    #expect(mailbox.take(timeout: .seconds(60)) == nil)
  }

  @Test func `a mailbox uses its waker and returns after a time-out`() throws {
    let waker = try Waker()
    let mailbox = Mailbox<String>(waker: waker)
    #expect(mailbox.take(timeout: .milliseconds(5)) == nil)
    mailbox.put("a")
    mailbox.put("b")
    #expect(try Poller(waker: waker).wait(for: [], timeout: .seconds(60)).wokenUp)
    #expect(mailbox.count == 2)
    #expect(mailbox.takeAll() == ["a", "b"])
  }

  @Test func `a service announces its address and ends on request`() throws {
    let context = try Context()
    let service = try Service(name: "echo") { waker, stop, announce in
      let socket = try Socket(context, .router)
      announce(try socket.bind("tcp://127.0.0.1:*"))
      while !stop.isSet {
        _ = try Poller(waker: waker).wait(for: [socket.readable], timeout: .seconds(60))
        while let message = try socket.receive() { _ = try socket.send(message) }
      }
    }
    let dealers = try DealerSet(context, [service.address, service.address], to: .learner)
    for index in 0..<dealers.count {
      let end = ContinuousClock.now + .seconds(10)
      while try dealers.send(index, [UInt8(index)]) == .full, ContinuousClock.now < end {
        _ = try Poller().wait(for: [], timeout: .milliseconds(1))
      }
      _ = try Poller().wait(for: [dealers.readable[index]], timeout: .seconds(10))
      #expect(try dealers.receive(index)?.bytes == [UInt8(index)])
    }
    service.stop()
    try service.join()
    #expect(service.hasEnded)
  }

  @Test func `a service that fails before or after its announcement throws its error`() async throws {
    #expect(throws: Stumble()) { _ = try Service<Int>(name: "stumbler") { _, _, _ in throw Stumble() } }
    let later = try Service<Int>(name: "stumbler") { _, _, announce in
      announce(1)
      throw Stumble()
    }
    await #expect(throws: Stumble()) { try await later.ended() }
  }

  @Test func `an absent peer causes warnings and then an error with the endpoint and the hint`() throws {
    let start = ContinuousClock.now
    var watch = watch(start)
    #expect(try watch.check(now: start + .seconds(2)) == nil)
    #expect(try watch.check(now: start + .seconds(4))?.contains("tcp://a:1 or tcp://b:2") == true)
    #expect(try watch.check(now: start + .seconds(5)) == nil)
    let error = #expect(throws: AbsentPeer.self) { _ = try watch.check(now: start + .seconds(30)) }
    #expect(error?.description.contains("tcp://a:1") == true && error?.description.contains("Start it.") == true)
  }

  @Test func `a silent peer causes warnings and then an error after the patience`() throws {
    let start = ContinuousClock.now
    var watch = watch(start)
    watch.heard(1, now: start + .seconds(20))
    #expect(try watch.check(now: start + .seconds(31)) == nil)
    #expect(try watch.check(now: start + .seconds(40))?.contains("silent") == true)
    #expect(throws: AbsentPeer.self) { _ = try watch.check(now: start + .seconds(121)) }
    watch.heard(0, now: start + .seconds(122))
    #expect(try watch.check(now: start + .seconds(123)) == nil)
  }

  private func watch(_ start: ContinuousClock.Instant) -> PeerWatch {
    PeerWatch(
      who: "ada", peers: ["tcp://a:1", "tcp://b:2"], what: "a router", hint: "Start it.", timeout: .seconds(30),
      silenceLimit: .seconds(15), patience: .seconds(100), start: start)
  }
}
