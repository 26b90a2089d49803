// Ports of this machine that nobody uses, so that several quickstarts live side by side.

import Foundation
import Glibc

enum FreePorts {
  /// Endpoints on loopback with different ports that were free a moment ago.
  ///
  /// - Throws: `CommandError` when the system has none to give.
  static func endpoints(_ count: Int) throws -> [String] {
    var sockets: [Int32] = []
    // Held together until all are known, so that they differ.
    defer { for socket in sockets { close(socket) } }
    return try (0..<count).map { _ in
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { throw failure() }
      sockets.append(descriptor)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
        }
      }
      guard status == 0 else { throw failure() }
      return "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }
  }

  private static func failure() -> CommandError {
    CommandError("expected free ports on 127.0.0.1: \(String(cString: strerror(errno)))")
  }
}
