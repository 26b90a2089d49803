// Errors of reading and writing the logs of a run.

/// A log that cannot be read or written, with its path and the reason.
package struct TelemetryError: Error, CustomStringConvertible {
  package let description: String

  init(_ path: String, _ problem: String) {
    description = "\(path): \(problem)"
  }
}
