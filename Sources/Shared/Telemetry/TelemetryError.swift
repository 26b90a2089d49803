// What can go wrong with a run's logs: the file system.

/// A log that cannot be read or written; the text says where and why.
public struct TelemetryError: Error, CustomStringConvertible {
  public let description: String

  init(_ place: String, _ problem: String) {
    description = "\(place): \(problem)"
  }
}
