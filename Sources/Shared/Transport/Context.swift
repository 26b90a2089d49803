// The owner of libzmq's I/O threads. It outlives its sockets, because each of them holds it.

internal import CZeroMQ

/// One messaging context; sockets of one context reach each other over `inproc://`. Safe to share between threads.
public final class Context: @unchecked Sendable {  // the pointer never changes and libzmq's contexts are thread-safe
  let pointer: UnsafeMutableRawPointer

  /// Starts a context.
  ///
  /// - Parameter ioThreads: threads that move bytes; one is enough up to about a gigabyte a second.
  /// - Throws: `TransportError` when the system has no descriptors or memory left.
  public init(ioThreads: Int = 1) throws {
    guard let pointer = zmq_ctx_new() else {
      throw TransportError.system(zmq_errno(), "starting a messaging context")
    }
    self.pointer = pointer
    _ = zmq_ctx_set(pointer, ZMQ_IO_THREADS, Int32(max(1, ioThreads)))
    _ = zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, 4096)
  }

  deinit {
    // Every socket is closed by now, and each had a finite LINGER: this returns when they have flushed or given up.
    _ = sw_zmq_terminate(pointer)
  }
}
