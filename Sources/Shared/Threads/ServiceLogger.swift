// One logger for all services, so that every log line has the same form.

package import Logging

/// The log of a service: one line per event on standard error. Standard output is for results.
package func serviceLogger(_ label: String) -> Logger {
  Logger(label: label) { StreamLogHandler.standardError(label: $0) }
}
