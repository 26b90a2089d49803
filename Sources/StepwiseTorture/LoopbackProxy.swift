// A TCP proxy on loopback that can hold bytes back and reset connections. Bytes that it has received and not passed on
// are lost with the connection, as on a real network.

import Foundation
import Glibc
import Supervision
import Synchronization
import Threads
import Transport

final class LoopbackProxy: Sendable {
  private struct Orders {
    var cuts = 0
    var isHeld = false
    var isOver = false
  }

  /// The endpoint to connect to instead of the target.
  let endpoint: String
  private let orders = Mutex(Orders())
  private let waker: Int32

  /// - Parameter target: such as `tcp://127.0.0.1:5801`.
  /// - Throws: `CommandError` when the system has no free port or descriptor.
  init(to target: String) throws {
    guard let port = target.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw CommandError("expected an endpoint with a port, found \(target)")
    }
    let kind = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let listener = socket(AF_INET, Int32(kind), 0)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, ends.allSatisfy({ makePrivate($0) }) else {
      throw CommandError("could not create a pipe for the proxy to \(target): \(String(cString: strerror(errno)))")
    }
    waker = ends[1]
    let heard = ends[0]
    guard listener >= 0, let bound = Self.bind(listener), listen(listener, 64) == 0 else {
      throw CommandError("could not bind a port for the proxy to \(target): \(String(cString: strerror(errno)))")
    }
    endpoint = "tcp://127.0.0.1:\(bound)"
    _ = ServiceThread(name: "proxy") { [self] in
      var loop = ProxyLoop(listener: listener, port: port, waker: heard)
      var cuts = 0
      while true {
        let now = orders.withLock { $0 }
        if now.isOver || now.cuts != cuts { loop.cut() }
        cuts = now.cuts
        if now.isOver { break }
        loop.step(isHeld: now.isHeld)
      }
      Glibc.close(listener)
    }
  }

  /// Resets all connections; new connections are accepted.
  func cut() { order { $0.cuts += 1 } }
  /// Holds all bytes back, or forwards them again.
  func hold(_ isHeld: Bool) { order { $0.isHeld = isHeld } }
  /// Ends the proxy.
  func end() { order { $0.isOver = true } }

  private func order(_ change: (inout sending Orders) -> Void) {
    orders.withLock { change(&$0) }
    var byte: UInt8 = 1
    // A full pipe wakes the loop too.
    _ = write(waker, &byte, 1)
  }

  static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = port.bigEndian
    return address
  }

  private static func bind(_ listener: Int32) -> UInt16? {
    var address = loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(listener, $0, size) == 0 ? getsockname(listener, $0, &size) : -1
      }
    }
    return status == 0 ? UInt16(bigEndian: address.sin_port) : nil
  }
}

/// Sets a descriptor to non-blocking, and closes it in children.
private func makePrivate(_ descriptor: Int32) -> Bool {
  fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
}

/// The loop of the proxy: one poll over all connections.
private struct ProxyLoop {
  /// One direction of a connection.
  fileprivate struct Flow {
    let from: Int32
    let to: Int32
    var bytes: [UInt8] = []
  }

  /// Bytes buffered per direction before the proxy stops reading.
  private static let limit = 256 << 10

  let listener: Int32
  let port: UInt16
  let waker: Int32
  /// Two per connection, next to each other.
  fileprivate var flows: [Flow] = []

  mutating func cut() {
    for index in stride(from: 0, to: flows.count, by: 2) { close(at: index) }
    flows = []
  }

  private func close(at index: Int) {
    // A broken connection is reset, not closed in order.
    var linger = linger(l_onoff: 1, l_linger: 0)
    for descriptor in [flows[index].from, flows[index].to] {
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
      Glibc.close(descriptor)
    }
  }

  /// Waits for events for up to a second, and handles them.
  mutating func step(isHeld: Bool) {
    var polled = [waker, listener].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    if !isHeld {
      for flow in flows {
        // A flow with an even index reads from the client, one with an odd index from the server. `from` is writable
        // for the bytes of the opposite flow.
        let events = (flow.bytes.count < Self.limit ? POLLIN : 0) | (opposite(of: flow).bytes.isEmpty ? 0 : POLLOUT)
        polled.append(pollfd(fd: flow.from, events: Int16(events), revents: 0))
      }
    }
    guard poll(&polled, nfds_t(polled.count), 1000) > 0 else { return }
    var rings = [UInt8](repeating: 0, count: 64)
    if polled[0].revents != 0 { _ = read(waker, &rings, rings.count) }
    var broken: Set<Int> = []
    for (index, item) in polled.dropFirst(2).enumerated() where item.revents != 0 {
      if !move(index, item.revents) { broken.insert(index / 2 * 2) }
    }
    for index in broken.sorted(by: >) {
      close(at: index)
      flows.removeSubrange(index..<index + 2)
    }
    if polled[1].revents != 0 { accept() }
  }

  private func opposite(of flow: Flow) -> Flow { flows.first { $0.from == flow.to }! }

  /// Reads into a flow, and writes the bytes of both directions; false when the connection is broken.
  private mutating func move(_ index: Int, _ events: Int16) -> Bool {
    if events & Int16(POLLIN) != 0 {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = read(flows[index].from, &buffer, buffer.count)
      if count == 0 || count < 0 && errno != EAGAIN { return false }
      if count > 0 { flows[index].bytes += buffer.prefix(count) }
    } else if events & Int16(POLLERR | POLLHUP) != 0 {
      return false
    }
    return write(index) && write(index ^ 1)
  }

  private mutating func write(_ index: Int) -> Bool {
    guard !flows[index].bytes.isEmpty else { return true }
    let count = send(flows[index].to, flows[index].bytes, flows[index].bytes.count, Int32(MSG_NOSIGNAL))
    // ENOTCONN: the connection to the server is not established yet.
    if count < 0 { return errno == EAGAIN || errno == ENOTCONN }
    flows[index].bytes.removeFirst(count)
    return true
  }

  private mutating func accept() {
    let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let client = Glibc.accept(listener, nil, nil)
    guard client >= 0, makePrivate(client) else { return }
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | flags, 0)
    var address = LoopbackProxy.loopback(port)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, size) }
    }
    guard server >= 0, status == 0 || errno == EINPROGRESS else {
      Glibc.close(client)
      if server >= 0 { Glibc.close(server) }
      return
    }
    flows += [Flow(from: client, to: server), Flow(from: server, to: client)]
  }
}
