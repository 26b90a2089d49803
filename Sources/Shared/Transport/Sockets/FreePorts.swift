// Ports of this machine that nobody uses, for programs that must find one another again after a restart.

internal import Glibc

package enum FreePorts {
  /// Below the ports that systems give to whoever asks for any (Linux begins at 32768), so that none of these is given
  /// away while the program that is to bind it starts, or starts again.
  private static let range: ClosedRange<UInt16> = 20_000...32_000

  /// Different endpoints on loopback that were free a moment ago.
  ///
  /// - Throws: `TransportError` when the system has none to give.
  package static func endpoints(_ count: Int) throws -> [String] {
    var sockets: [Int32] = []
    // Held together until all are known, so that they differ.
    defer { for socket in sockets { close(socket) } }
    return try (0..<count).map { _ in
      for _ in 0..<1000 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        let port = UInt16.random(in: range)
        if bind(descriptor, port) {
          sockets.append(descriptor)
          return "tcp://127.0.0.1:\(port)"
        }
        close(descriptor)
      }
      throw failure()
    }
  }

  private static func bind(_ descriptor: Int32, _ port: UInt16) -> Bool {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = port.bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func failure() -> TransportError {
    TransportError(.system, "expected free ports on 127.0.0.1: \(String(cString: strerror(errno)))")
  }
}
