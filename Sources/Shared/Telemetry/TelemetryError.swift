// Errors of reading and writing the logs of a run.

package struct TelemetryError: Error, CustomStringConvertible {
  package let description: String

  init(_ path: String, _ problem: String) {
    description = "\(path): \(problem)"
  }
}
