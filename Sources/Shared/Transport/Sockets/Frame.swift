// One frame as libzmq holds it: received, passed on and kept without a copy. Its bytes never change once it is made, so
// any thread may read it; it may be sent as often as one likes, by one thread at a time.

internal import CZeroMQ
internal import Glibc

/// The bytes of a frame, kept as long as somebody holds this.
package final class Frame: @unchecked Sendable {  // written only before its initialiser returns
  /// Not within this object: small messages have their bytes inside the struct, which must stay where it is.
  let message: UnsafeMutablePointer<zmq_msg_t>

  /// A frame that `write` fills, all of it. Stops the program when there is no memory.
  package init(byteCount: Int, writing write: (UnsafeMutableRawBufferPointer) -> Void) {
    message = .allocate(capacity: 1)
    let result = zmq_msg_init_size(message, byteCount)
    check(result == 0, "Frame: no memory for \(byteCount) bytes")
    write(UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: byteCount))
  }

  /// A copy of bytes.
  package convenience init(_ bytes: [UInt8]) {
    self.init(byteCount: bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// Takes over what was received; the message given is empty then.
  init(taking received: inout zmq_msg_t) {
    message = .allocate(capacity: 1)
    zmq_msg_init(message)
    zmq_msg_move(message, &received)
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }

  /// Number of bytes.
  package var count: Int { zmq_msg_size(message) }

  /// Calls `body` with the bytes where they lie; they must not be kept.
  package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) {
      try body(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
    }
  }

  /// A copy of the bytes.
  package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

extension Socket {
  /// Hands over one message without waiting and without copying its last frame.
  ///
  /// - Parameters:
  ///   - body: the last frame; still whole afterwards, to be sent again.
  ///   - address: the frames before it, such as a peer's identity.
  /// - Throws: `TransportError` of kind `.tooLarge` before anything is sent, or `.system`.
  package func send(_ body: Frame, to address: [[UInt8]] = []) throws -> SendOutcome {
    try requireSendable(body.count)
    for (position, frame) in address.enumerated() {
      let outcome = try send(frame, isLast: false, position)
      if outcome != .sent { return outcome }
    }
    var shared = zmq_msg_t()
    zmq_msg_init(&shared)
    zmq_msg_copy(&shared, body.message)
    let result = sw_zmq_send_message(handle, &shared, ZMQ_DONTWAIT)
    if result >= 0 { return .sent }
    zmq_msg_close(&shared)
    return try outcome(of: result, position: address.count)
  }
}
