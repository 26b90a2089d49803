// Waits, wake-ups, and threads that end with an error.

import Foundation
import Synchronization
import Testing
import Threads
import Transport

@Suite
struct ThreadTests {
  struct Stumble: Error, Equatable {}

  @Test func `a waker ends a wait from another thread`() throws {
    let context = try Context()
    let waker = try Waker()
    let started = Mutex(false)
    let thread = ServiceThread(name: "waiter") {
      let socket = try Socket(context, .router)
      try socket.bind("inproc://quiet")
      started.withLock { $0 = true }
      let found = try Poller(waker: waker).wait(for: [socket.readable], timeout: .seconds(60))
      #expect(found.wokenUp)
      #expect(!found[0])
    }
    waker.wake()
    try thread.join()
    #expect(started.withLock { $0 })
  }

  @Test func `wake-ups before the wait are not lost and count as one`() throws {
    let waker = try Waker()
    waker.wake()
    waker.wake()
    let poller = Poller(waker: waker)
    #expect(try poller.wait(for: [], timeout: .seconds(60)).wokenUp)
    #expect(try poller.wait(for: [], timeout: .zero).isEmpty)
  }

  @Test func `a wait ends after the time-out without a result`() throws {
    let context = try Context()
    let socket = try Socket(context, .router)
    try socket.bind("inproc://silence")
    let found = try Poller().wait(for: [socket.readable], timeout: .milliseconds(5))
    #expect(found.isEmpty)
  }

  @Test func `the error of a thread reaches all waiting threads`() async throws {
    let thread = ServiceThread(name: "stumbler") { throw Stumble() }
    await #expect(throws: Stumble()) { try await thread.ended() }
    #expect(throws: Stumble()) { try thread.join() }
    #expect(thread.hasEnded)
  }

  @Test func `sockets of two threads communicate over inproc`() throws {
    let context = try Context()
    let echo = ServiceThread(name: "echo") {
      let socket = try Socket(context, .pair)
      try socket.bind("inproc://echo")
      while let message = try socket.receive(timeout: .seconds(10)) {
        if message == [[]] { return }
        #expect(try sendPatiently(socket, message) == .sent)
      }
    }
    let socket = try Socket(context, .pair)
    try socket.connect("inproc://echo")
    for number in 0..<100 {
      #expect(try sendPatiently(socket, [[UInt8(number)]]) == .sent)
      #expect(try socket.receive(timeout: .seconds(10)) == [[UInt8(number)]])
    }
    #expect(try sendPatiently(socket, [[]]) == .sent)
    try echo.join()
  }
}
