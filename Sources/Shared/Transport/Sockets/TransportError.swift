// What can go wrong with an endpoint or a socket, in words: which one, what was expected, what was found, what to do.

internal import CZeroMQ
internal import Glibc

/// An endpoint or a socket did not do what was asked.
package struct TransportError: Error, Sendable, CustomStringConvertible {
  /// The kinds that a caller may want to tell apart.
  package enum Kind: Sendable, Equatable {
    /// Another program holds the port.
    case addressInUse
    /// The endpoint is malformed, or this machine has no such address.
    case badEndpoint
    /// Beyond loopback without keys, and not asked for in so many words.
    case refusedInsecure
    /// A file of keys cannot be used.
    case keys
    /// The peer does not accept this process's key, or it is not the peer that its key says.
    case refusedKey
    /// A frame is larger than the socket's limit.
    case tooLarge
    /// Anything else that the operating system or libzmq reported.
    case system
  }

  /// What kind of failure this is.
  package let kind: Kind
  /// The whole story in one or two sentences.
  package let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  /// The failure of `operation` with libzmq's error `code`.
  static func system(_ code: Int32, _ operation: String) -> TransportError {
    TransportError(.system, "\(operation): \(String(cString: zmq_strerror(code))) (error \(code)).")
  }

  /// Why `endpoint` could not be bound.
  static func binding(_ endpoint: String, _ code: Int32) -> TransportError {
    switch code {
    case EADDRINUSE:
      TransportError(
        .addressInUse,
        "\(endpoint): expected a free address, found it in use by another program. Stop that program, or choose "
          + "another port (tcp://127.0.0.1:* takes any free one).")
    case EADDRNOTAVAIL, ENODEV:
      TransportError(
        .badEndpoint,
        "\(endpoint): expected an address of this machine, found none of that name. Use 127.0.0.1, or an address "
          + "that `ip address` lists.")
    case EACCES:
      TransportError(
        .badEndpoint,
        "\(endpoint): expected a port that this user may open, the system refused it. Choose a port above 1023.")
    default: malformed(endpoint, code)
    }
  }

  /// Why `endpoint` makes no sense.
  static func malformed(_ endpoint: String, _ code: Int32) -> TransportError {
    TransportError(
      .badEndpoint,
      "\(endpoint): expected an endpoint such as tcp://127.0.0.1:5555 or inproc://name, found one that cannot be "
        + "used: \(String(cString: zmq_strerror(code))). Correct the endpoint.")
  }
}
