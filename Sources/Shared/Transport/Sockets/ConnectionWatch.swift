// One thread a context that answers libzmq's questions about keys and listens to what becomes of handshakes. Without it
// a refused peer looks like silence: here it is logged, once a peer, and the refused one gets an error.

package import Threads
internal import CZeroMQ
internal import Glibc
internal import Synchronization
internal import Logging

/// What the watch has found out about one socket.
final class SocketNews: Sendable {
  private let refusal = Mutex<String?>(nil)
  private let isBad = Atomic(false)

  /// Why the peer that this socket connects to will have nothing to do with it.
  var refused: String? { isBad.load(ordering: .acquiring) ? refusal.withLock { $0 } : nil }

  func refuse(_ reason: String) {
    refusal.withLock { $0 = $0 ?? reason }
    isBad.store(true, ordering: .releasing)
  }
}

/// Handshakes of all sockets of a context.
final class ConnectionWatch: Sendable {
  /// A socket to listen to.
  struct Subject: Sendable {
    /// Where its events are published.
    let events: String
    /// Its endpoint, for the log.
    let endpoint: String
    /// Whether it connects, rather than binds.
    let connects: Bool
    let news: SocketNews
  }

  /// A handle that one thread hands over to another for good.
  private struct Handle: @unchecked Sendable {  // only the watch's thread uses it once that has started
    let pointer: UnsafeMutableRawPointer
  }

  private let subjects: Mailbox<Subject>
  private let count = Atomic(0)

  /// Binds the authentication handler, where there are keys, and starts the thread; it ends with the context.
  ///
  /// - Throws: `TransportError`.
  init(_ context: UnsafeMutableRawPointer, keys: Keyring?, silent: String?, logger: Logger) throws {
    let waker = try Waker()
    let subjects = Mailbox<Subject>(waker: waker)
    self.subjects = subjects
    var handler: Handle?
    if keys != nil {
      guard let socket = zmq_socket(context, ZMQ_REP) else {
        throw TransportError.system(zmq_errno(), "opening the authentication socket")
      }
      let result = sw_zmq_bind(socket, "inproc://zeromq.zap.01")
      guard result >= 0 else {
        zmq_close(socket)
        throw TransportError.system(Int32(-result), "binding the authentication socket")
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

  /// Ends the thread; nothing more is to be watched.
  func end() { subjects.close() }

  /// Listens to a socket's handshakes from now on. Call it on the socket's own thread, once.
  ///
  /// - Throws: `TransportError`.
  func watch(_ handle: UnsafeMutableRawPointer, endpoint: String, connects: Bool, news: SocketNews) throws {
    let events = "inproc://handshakes-\(count.add(1, ordering: .relaxed).newValue)"
    let handshakes =
      ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
      | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_MONITOR_STOPPED
    guard zmq_socket_monitor(handle, events, handshakes) == 0 else {
      throw TransportError.system(zmq_errno(), "watching the connections of \(endpoint)")
    }
    subjects.put(Subject(events: events, endpoint: endpoint, connects: connects, news: news))
  }
}

/// The watch's thread.
private struct WatchLoop {
  let context: UnsafeMutableRawPointer
  let handler: UnsafeMutableRawPointer?
  let keys: Keyring?
  let silent: String?
  let subjects: Mailbox<ConnectionWatch.Subject>
  let waker: Waker
  let logger: Logger
  private var monitors: [(socket: UnsafeMutableRawPointer, subject: ConnectionWatch.Subject)] = []
  /// What was logged already; bounded, because strangers choose it.
  private var complaints: Set<String> = []
  private static let mostComplaints = 1000
  /// Handshakes of a socket that were broken off since one succeeded.
  private var brokenOff: [String: Int] = [:]

  init(
    context: UnsafeMutableRawPointer, handler: UnsafeMutableRawPointer?, keys: Keyring?, silent: String?,
    subjects: Mailbox<ConnectionWatch.Subject>, waker: Waker, logger: Logger
  ) {
    self.context = context
    self.handler = handler
    self.keys = keys
    self.silent = silent
    self.subjects = subjects
    self.waker = waker
    self.logger = logger
  }

  /// Runs until the context ends, which every call to libzmq then reports.
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
        // The watched socket is closed already.
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
        brokenOff[monitor.subject.events] = nil
      } else {
        kept.append(monitor)
      }
    }
    monitors = kept
    return !ended
  }

  /// Takes an event in; whether it was the socket's last.
  private mutating func take(_ frames: [[UInt8]], _ subject: ConnectionWatch.Subject) -> Bool {
    guard frames.count == 2, frames[0].count == 6 else { return false }
    let event = Int32(frames[0][0]) | Int32(frames[0][1]) << 8
    let value = frames[0][2...].reversed().reduce(Int32(0)) { $0 << 8 | Int32($1) }
    let address = String(decoding: frames[1], as: UTF8.self)
    switch event {
    case Int32(ZMQ_EVENT_MONITOR_STOPPED): return true
    case Int32(ZMQ_EVENT_HANDSHAKE_SUCCEEDED): brokenOff[subject.events] = nil
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL):
      // Whoever sees first that one side has keys and the other none breaks off, and the other learns no more than
      // that. Once is what a restart looks like.
      brokenOff[subject.events, default: 0] += 1
      if brokenOff[subject.events] == 3 {
        complain(
          "\(subject.endpoint): peers broke off during the handshake three times on end; if one side uses keys and the "
            + "other none, give both the same network.keys")
      }
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) where subject.connects:
      refuse(
        subject, "expected to be let in, found that the peer refuses this process's key (\(value)): it is not on the "
          + "peer's allow-list, or of a role that has no business there. Add it with `stepwise keys`, or give the "
          + "process its own key.")
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) where value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      let (here, there) = keys == nil ? ("has no keys", "uses keys") : ("uses keys", "has none")
      if subject.connects {
        refuse(subject, "this process \(here), the peer \(there). Give both the same network.keys.")
      } else {
        complain("\(subject.endpoint): refused a peer at \(address): this process \(here), the peer \(there)")
      }
    case Int32(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL):
      let known = value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
      let problem = known
        ? "it took another key for this process's" : "it broke the protocol (\(String(value, radix: 16)))"
      if subject.connects {
        refuse(
          subject, "the handshake failed (\(String(value, radix: 16))): the peer is not what its key says, or another program.")
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

  private enum Received {
    case message([[UInt8]])
    case nothing
    case ended
  }

  private static func receive(_ socket: UnsafeMutableRawPointer) -> Received {
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
