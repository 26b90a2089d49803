// The owner of libzmq's I/O threads and of the keys of its sockets. It outlives its sockets, because each of them holds
// it. A context with keys exists only after the self-test of the authentication has passed.

internal import CZeroMQ
package import Logging
internal import Threads
internal import Synchronization

/// A messaging context. Its sockets can reach each other over `inproc://`. It may be shared between threads.
package final class Context: @unchecked Sendable {  // the pointer never changes and libzmq's contexts are thread-safe
  let pointer: UnsafeMutableRawPointer
  package let security: Security
  private let logger: Logger
  /// Created with the first socket that leaves the process.
  private let watch = Mutex<ConnectionWatch?>(nil)

  /// - Parameters:
  ///   - ioThreads: Number of I/O threads. One is enough for a gigabyte per second, or a fifth of that with CURVE.
  ///   - security: The endpoints that the sockets may use, and the keys.
  ///   - logger: Receives a warning for each refused peer, once per peer.
  /// - Throws: `TransportError` if no descriptors or memory are left, or if the authentication does not work.
  package init(
    ioThreads: Int = 1, security: Security = .loopback, logger: Logger = serviceLogger("connections")
  ) throws {
    sw_raise_descriptor_limit()
    sw_keep_message_memory()
    guard let pointer = zmq_ctx_new() else {
      throw TransportError.system(zmq_errno(), "could not create a messaging context")
    }
    self.pointer = pointer
    self.security = security
    self.logger = logger
    _ = zmq_ctx_set(pointer, ZMQ_IO_THREADS, Int32(max(1, ioThreads)))
    _ = zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, 16_384)
    if case .keys(let ring) = security {
      let stranger = try KeyPair()
      let handler = try ConnectionWatch(pointer, keys: ring, silent: stranger.publicKey, logger: logger)
      watch.withLock { $0 = handler }
      try AuthenticationTest.run(self, ring, stranger)
    }
  }

  deinit {
    watch.withLock { $0?.end() }
    // All sockets are closed, and each has a finite LINGER: this returns when they have flushed or given up.
    _ = sw_zmq_terminate(pointer)
  }

  /// Watches the handshakes of a socket. Call it on the thread of the socket.
  func listen(_ handle: UnsafeMutableRawPointer, endpoint: String, connects: Bool, news: SocketNews) throws {
    let found = try watch.withLock { watch in
      if let watch { return watch }
      let made = try ConnectionWatch(pointer, keys: nil, silent: nil, logger: logger)
      watch = made
      return made
    }
    try found.watch(handle, endpoint: endpoint, connects: connects, news: news)
  }
}
