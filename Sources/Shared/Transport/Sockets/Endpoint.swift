// The check which endpoints other machines can reach. Without keys only endpoints of this machine are allowed.

internal import Glibc

/// Classifies endpoints such as `tcp://127.0.0.1:5555`, `inproc://name`, `ipc:///run/x.socket`.
package enum Endpoint {
  /// Whether the traffic of this endpoint never leaves this machine.
  ///
  /// False for every host name other than `localhost`, because its address may change.
  package static func isLocal(_ endpoint: String) -> Bool {
    if endpoint.hasPrefix("inproc://") || endpoint.hasPrefix("ipc://") { return true }
    guard endpoint.hasPrefix("tcp://") else { return false }
    var host = endpoint.dropFirst("tcp://".count)
    if let colon = host.lastIndex(of: ":") { host = host[..<colon] }
    if host == "localhost" || host == "[::1]" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// Whether the traffic of this endpoint never leaves this process, so that there is nothing to encrypt.
  static func isInternal(_ endpoint: String) -> Bool { endpoint.hasPrefix("inproc://") }

  static func requireAllowed(_ endpoint: String, _ security: Security) throws {
    guard ["tcp://", "ipc://", "inproc://"].contains(where: { endpoint.hasPrefix($0) }) else {
      throw TransportError.malformed(endpoint, EPROTONOSUPPORT)
    }
    guard case .loopback = security, !isLocal(endpoint) else { return }
    throw TransportError(
      .refusedInsecure,
      "\(endpoint): other machines can reach this address, and without keys they could read and insert data. Make keys "
        + "with `stepwise keys` and set network.keys, use a loopback address such as tcp://127.0.0.1:5555, or set "
        + "network.insecure: true on a network that you trust.")
  }
}
