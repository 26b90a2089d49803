// Free ports of this machine, for programs that must find each other again after a restart.

internal import Glibc

package enum FreePorts {
  /// Below the ephemeral ports of the system (Linux starts at 32768), so that no other program receives one of these
  /// ports before the program that is to bind it has started, or while it restarts.
  private static let range: ClosedRange<UInt16> = 20_000...32_000

  /// Different loopback endpoints whose ports are free at the moment. Throws `TransportError` if no free port is found.
  package static func endpoints(_ count: Int) throws -> [String] {
    var sockets: [Int32] = []
    // All sockets stay open until all ports are known, so that the ports differ.
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
    .system(errno, "could not find a free port on 127.0.0.1")
  }
}
