// The error of endpoints, sockets and keys. It keeps the error code of the operating system or of libzmq.

internal import CZeroMQ
internal import Glibc

package struct TransportError: Error, Sendable, CustomStringConvertible {
  package enum Kind: Sendable, Equatable {
    case addressInUse
    /// The endpoint is malformed, or this machine does not have the address.
    case badEndpoint
    /// Other machines can reach the endpoint, there are no keys, and the user did not request insecure connections.
    case refusedInsecure
    /// A key file cannot be used.
    case keys
    /// The peer does not accept the key of this process, or does not have the key that it should have.
    case refusedKey
    /// A frame is larger than the limit of the socket.
    case tooLarge
    case system
  }

  package let kind: Kind
  /// The value of errno, or the error code of libzmq; nil for errors that this module detects.
  package let code: Int32?
  package let description: String

  init(_ kind: Kind, code: Int32? = nil, _ description: String) {
    (self.kind, self.code, self.description) = (kind, code, description)
  }

  /// - Parameter operation: What was attempted, as a clause: "could not open a socket".
  static func system(_ code: Int32, _ operation: String) -> TransportError {
    TransportError(.system, code: code, "\(operation): \(String(cString: zmq_strerror(code))) (error \(code)).")
  }

  /// The error for an `endpoint` that could not be bound.
  static func binding(_ endpoint: String, _ code: Int32) -> TransportError {
    switch code {
    case EADDRINUSE:
      TransportError(
        .addressInUse, code: code,
        "\(endpoint): another program uses this address. Stop that program, or choose another port "
          + "(tcp://127.0.0.1:* takes any free one).")
    case EADDRNOTAVAIL, ENODEV:
      TransportError(
        .badEndpoint, code: code,
        "\(endpoint): this machine does not have this address. Use 127.0.0.1, or an address that `ip address` lists.")
    case EACCES:
      TransportError(
        .badEndpoint, code: code,
        "\(endpoint): this user may not bind this port. Choose a port above 1023.")
    default: malformed(endpoint, code)
    }
  }

  /// The error for an `endpoint` that cannot be used.
  static func malformed(_ endpoint: String, _ code: Int32) -> TransportError {
    TransportError(
      .badEndpoint, code: code,
      "\(endpoint): the endpoint cannot be used: \(String(cString: zmq_strerror(code))). Expected an endpoint such as "
        + "tcp://127.0.0.1:5555 or inproc://name.")
  }
}
