// One thread per context that answers the authentication requests of libzmq and watches the results of handshakes.
// Without it a refused peer would only appear to be silent. The refusal is logged once per peer, and the refused
// process gets an error.

internal import Threads
internal import CZeroMQ
internal import Glibc
internal import Synchronization
internal import Logging

/// The state of one socket that the watch has found.
final class SocketNews: Sendable {
  private let refusal = Mutex<String?>(nil)
  private let isBad = Atomic(false)

  /// The reason why the peer that this socket connects to refuses it; nil if it does not.
  var refused: String? { isBad.load(ordering: .acquiring) ? refusal.withLock { $0 } : nil }

  func refuse(_ reason: String) {
    refusal.withLock { $0 = $0 ?? reason }
    isBad.store(true, ordering: .releasing)
  }
}

final class ConnectionWatch: Sendable {
  struct Subject: Sendable {
    let events: String
    let endpoint: String
    /// Whether the socket connects to the endpoint instead of binding it.
    let connects: Bool
    let news: SocketNews
  }

  /// A handle that one thread passes to another.
  private struct Handle: @unchecked Sendable {  // only the thread of the watch uses it after the start of that thread
    let pointer: UnsafeMutableRawPointer
  }

  private let subjects: Mailbox<Subject>
  private let count = Atomic(0)

  /// Binds the authentication handler, if there are keys, and starts the thread, which ends with the context.
  ///
  /// - Throws: `TransportError`.
  init(_ context: UnsafeMutableRawPointer, keys: Keyring?, silent: String?, logger: Logger) throws {
    let waker = try Waker()
    let subjects = Mailbox<Subject>(waker: waker)
    self.subjects = subjects
    var handler: Handle?
    if keys != nil {
      guard let socket = zmq_socket(context, ZMQ_REP) else {
        throw TransportError.system(zmq_errno(), "could not open the authentication socket")
      }
      let result = sw_zmq_bind(socket, "inproc://zeromq.zap.01")
      guard result >= 0 else {
        zmq_close(socket)
        throw TransportError.system(Int32(-result), "could not bind the authentication socket")
      }
      handler = Handle(pointer: socket)
    }
    let owner = Handle(pointer: context)
    _ = ServiceThread(name: "connections") { [handler] in
      var loop = WatchLoop(
        context: owner.pointer, handler: handler?.pointer, keys: keys, silent: silent, subjects: subjects, waker: waker,
        logger: logger)
      loop.run()
    }
  }

  func end() { subjects.close() }

  /// Watches the handshakes of a socket from now on. Call it once, on the thread of the socket.
  ///
  /// - Throws: `TransportError`.
  func watch(_ handle: UnsafeMutableRawPointer, endpoint: String, connects: Bool, news: SocketNews) throws {
    let events = "inproc://handshakes-\(count.add(1, ordering: .relaxed).newValue)"
    let handshakes =
      ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
      | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_MONITOR_STOPPED
    guard zmq_socket_monitor(handle, events, handshakes) == 0 else {
      throw TransportError.system(zmq_errno(), "\(endpoint): could not watch the connections")
    }
    subjects.put(Subject(events: events, endpoint: endpoint, connects: connects, news: news))
  }
}

private struct WatchLoop {
  let context: UnsafeMutableRawPointer
  let handler: UnsafeMutableRawPointer?
  let keys: Keyring?
  let silent: String?
  let subjects: Mailbox<ConnectionWatch.Subject>
  let waker: Waker
  let logger: Logger
  var monitors: [(socket: UnsafeMutableRawPointer, subject: ConnectionWatch.Subject)] = []
  /// The logged texts; their number is bounded, because unknown peers cause them.
  var complaints: Set<String> = []
  private static let mostComplaints = 1000
  /// Number of aborted handshakes of a socket since the last successful one.
  var abortedHandshakes: [String: Int] = [:]

  /// Runs until the context ends, which every call of libzmq then reports.
  mutating func run() {
    defer {
      subjects.close()
      if let handler { zmq_close(handler) }
      for monitor in monitors { zmq_close(monitor.socket) }
    }
    while true {
      var items = monitors.map { zmq_pollitem_t(socket: $0.socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0) }
      items.append(zmq_pollitem_t(socket: nil, fd: waker.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
      if let handler { items.append(zmq_pollitem_t(socket: handler, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)) }
      let ready = sw_zmq_poll(&items, Int32(items.count), -1)
      if ready < 0 {
        if -ready == Int(EINTR) { continue }
        return
      }
      _ = waker.clear()
      guard answerHandler(), listen(), addMonitors(), !subjects.hasClosed else { return }
    }
  }

  private mutating func answerHandler() -> Bool {
    guard let handler, let keys else { return true }
    while true {
      switch Self.receive(handler) {
      case .nothing: return true
      case .ended: return false
      case .message(let frames):
        let authentication = Authentication(frames, keys, silent: silent)
        if let complaint = authentication.complaint { complain(complaint) }
        for (position, frame) in authentication.reply.enumerated() {
          let flags = position + 1 < authentication.reply.count ? ZMQ_SNDMORE : 0
          if frame.withUnsafeBytes({ sw_zmq_send(handler, $0.baseAddress, $0.count, flags) }) < 0 { return false }
        }
      }
    }
  }

  private mutating func addMonitors() -> Bool {
    for subject in subjects.takeAll() {
      guard let socket = zmq_socket(context, ZMQ_PAIR) else { return false }
      guard sw_zmq_connect(socket, subject.events) >= 0 else {
        // The watched socket is already closed.
        zmq_close(socket)
        continue
      }
      monitors.append((socket, subject))
    }
    return listen()
  }

  private mutating func listen() -> Bool {
    var kept: [(socket: UnsafeMutableRawPointer, subject: ConnectionWatch.Subject)] = []
    var ended = false
    for monitor in monitors {
      var isOver = false
      reading: while !isOver && !ended {
        switch Self.receive(monitor.socket) {
        case .nothing: break reading
        case .ended: ended = true
        case .message(let frames): isOver = take(frames, monitor.subject)
        }
      }
      if isOver {
        zmq_close(monitor.socket)
        abortedHandshakes[monitor.subject.events] = nil
      } else {
        kept.append(monitor)
      }
    }
    monitors = kept
    return !ended
  }

  /// Handles an event. Returns whether it was the last event of the socket.
  private mutating func take(_ frames: [[UInt8]], _ subject: ConnectionWatch.Subject) -> Bool {
    guard frames.count == 2, frames[0].count == 6 else { return false }
    let event = Int32(frames[0][0]) | Int32(frames[0][1]) << 8
    let value = frames[0][2...].reversed().reduce(Int32(0)) { $0 << 8 | Int32($1) }
    let address = String(decoding: frames[1], as: UTF8.self)
    switch event {
    case Int32(ZMQ_EVENT_MONITOR_STOPPED): return true
    case Int32(ZMQ_EVENT_HANDSHAKE_SUCCEEDED): abortedHandshakes[subject.events] = nil
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL):
      // If only one side uses keys, the side that notices it first aborts the handshake, and the other side receives no
      // reason. A single aborted handshake also occurs when a peer restarts.
      abortedHandshakes[subject.events, default: 0] += 1
      if abortedHandshakes[subject.events] == 3 {
        complain(
          "\(subject.endpoint): peers aborted three handshakes in a row. If only one side uses keys, give both sides "
            + "the same network.keys.")
      }
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) where subject.connects:
      refuse(
        subject, "the peer refused the key of this process (\(value)): it is not on the allow-list of the peer, or the "
          + "endpoint does not accept its role. Add it to the list with `stepwise keys`, or use another key file.")
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) where value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      let mismatch = keys == nil
        ? "this process has no keys, and the peer uses keys" : "this process uses keys, and the peer has none"
      if subject.connects {
        refuse(subject, "\(mismatch). Give both sides the same network.keys.")
      } else {
        complain("\(subject.endpoint): refused a peer at \(address): \(mismatch)")
      }
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL):
      let known = value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
      let problem = known
        ? "it expected another key than that of this process"
        : "it violated the protocol (\(String(value, radix: 16)))"
      if subject.connects {
        refuse(
          subject, "the handshake failed (\(String(value, radix: 16))): the peer does not have the key of its role, or "
            + "is another program. Check the endpoint and the allow-list.")
      } else {
        complain("\(subject.endpoint): refused a peer at \(address): \(problem)")
      }
    default: break
    }
    return false
  }

  private mutating func refuse(_ subject: ConnectionWatch.Subject, _ reason: String) {
    complain("\(subject.endpoint): \(reason)")
    subject.news.refuse("\(subject.endpoint): \(reason)")
  }

  private mutating func complain(_ text: String) {
    guard complaints.count < Self.mostComplaints, complaints.insert(text).inserted else { return }
    logger.warning("\(text)")
  }

  private enum Reading {
    case message([[UInt8]])
    case nothing
    case ended
  }

  private static func receive(_ socket: UnsafeMutableRawPointer) -> Reading {
    var frames: [[UInt8]] = []
    var message = zmq_msg_t()
    zmq_msg_init(&message)
    defer { zmq_msg_close(&message) }
    repeat {
      let result = sw_zmq_receive(socket, &message, frames.isEmpty ? ZMQ_DONTWAIT : 0)
      if result < 0 { return -result == Int(EAGAIN) ? .nothing : .ended }
      frames.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))))
    } while zmq_msg_more(&message) != 0
    return .message(frames)
  }
}
