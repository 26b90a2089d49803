// What can go wrong with a run's logs: the file system.

/// A log that cannot be read or written; the text says where and why.
package struct TelemetryError: Error, CustomStringConvertible {
  package let description: String

  init(_ place: String, _ problem: String) {
    description = "\(place): \(problem)"
  }
}
