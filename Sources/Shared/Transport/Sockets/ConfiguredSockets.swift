// The socket options that a configuration sets.

package import Settings

extension NetworkSettings {
  /// The default options with the largest message of the configuration.
  package var socketOptions: SocketOptions {
    var options = SocketOptions()
    options.maximumFrameBytes = maximumMessageBytes
    return options
  }
}
