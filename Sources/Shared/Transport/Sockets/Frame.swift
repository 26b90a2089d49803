// A frame in the memory of libzmq, which is received, sent and kept without a copy. Its bytes never change after its
// initializer, so any thread may read them. It can be sent several times, by one thread at a time.

internal import CZeroMQ
internal import Glibc

package final class Frame: @unchecked Sendable {  // it is written in its initializer only
  /// Allocated separately: the struct contains the bytes of small messages, and must not move.
  let message: UnsafeMutablePointer<zmq_msg_t>

  /// Creates a frame whose bytes `write` fills completely. Stops the program if there is no memory.
  package init(byteCount: Int, writing write: (UnsafeMutableRawBufferPointer) -> Void) {
    message = .allocate(capacity: 1)
    let result = zmq_msg_init_size(message, byteCount)
    if result != 0 { fatalError("Frame: no memory for \(byteCount) bytes") }
    write(UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: byteCount))
  }

  package convenience init(_ bytes: [UInt8]) {
    self.init(byteCount: bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// Takes over a received message, which is empty afterwards.
  init(taking received: inout zmq_msg_t) {
    message = .allocate(capacity: 1)
    zmq_msg_init(message)
    zmq_msg_move(message, &received)
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }

  package var count: Int { zmq_msg_size(message) }

  /// Calls `body` with the bytes, which are valid during the call only.
  package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) {
      try body(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
    }
  }

  package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}
