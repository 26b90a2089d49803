// The owner of libzmq's I/O threads, and of the keys of its sockets. It outlives its sockets, because each of them
// holds it. With keys it is usable only after a stranger's key has been refused before its eyes.

internal import CZeroMQ
package import Logging
internal import Threads
internal import Synchronization

/// One messaging context; sockets of one context reach each other over `inproc://`. Safe to share between threads.
package final class Context: @unchecked Sendable {  // the pointer never changes and libzmq's contexts are thread-safe
  let pointer: UnsafeMutableRawPointer
  /// How far its sockets may reach.
  package let security: Security
  private let logger: Logger
  /// Made with the first socket that leaves the process.
  private let watch = Mutex<ConnectionWatch?>(nil)

  /// Starts a context.
  ///
  /// - Parameters:
  ///   - ioThreads: threads that move bytes; one is enough up to about a gigabyte a second, a fifth of that under
  ///     CURVE.
  ///   - security: how far its sockets may reach, and with which keys.
  ///   - logger: is told of refused peers, once a peer.
  /// - Throws: `TransportError` when the system has no descriptors or memory left, or when the authentication of keys
  ///   does not work.
  package init(
    ioThreads: Int = 1, security: Security = .loopback, logger: Logger = serviceLogger("connections")
  ) throws {
    sw_raise_descriptor_limit()
    sw_keep_message_memory()
    guard let pointer = zmq_ctx_new() else {
      throw TransportError.system(zmq_errno(), "starting a messaging context")
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
    // Every socket is closed by now, and each had a finite LINGER: this returns when they have flushed or given up.
    _ = sw_zmq_terminate(pointer)
  }

  /// Listens to the handshakes of a socket, from its own thread.
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
