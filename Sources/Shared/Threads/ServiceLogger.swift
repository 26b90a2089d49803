// One logger for all services, so that every line has the same form.

package import Logging

/// A log of a service: one line an event, to standard error, so that standard output stays for results.
package func serviceLogger(_ label: String) -> Logger {
  Logger(label: label) { StreamLogHandler.standardError(label: $0) }
}
