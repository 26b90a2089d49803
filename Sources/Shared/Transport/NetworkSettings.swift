// The socket options and the keys of a configuration.

package import Roles
package import Settings

extension NetworkSettings {
  package var socketOptions: SocketOptions {
    var options = SocketOptions()
    options.maximumFrameBytes = maximumMessageBytes
    return options
  }

  /// The security of a process of this role. Throws `TransportError` of kind `.keys`; see `Security`.
  package func security(for role: Role) throws -> Security {
    try Security(folder: keys, file: keyFile, insecure: insecure, role: role)
  }
}
