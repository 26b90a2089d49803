// The one error for a failed system call. It keeps errno, so that a caller can tell a full disk from a missing folder
// without comparing text.

internal import Foundation
internal import Glibc

/// A system call that failed.
package struct SystemError: Error, CustomStringConvertible, Equatable {
  /// The value of errno.
  package let code: Int32
  /// What was attempted, as a clause: "/runs/a/config.yaml: could not be written".
  package let operation: String
  /// What the user can do; empty when there is no advice to give.
  package let advice: String

  /// - Parameters:
  ///   - code: the value of errno; the default reads it, so create the error right after the failed call.
  ///   - operation: what was attempted.
  ///   - advice: what the user can do.
  package init(_ operation: String, code: Int32 = errno, advice: String = "") {
    self.code = code
    self.operation = operation
    self.advice = advice
  }

  package var description: String {
    let reason = "\(operation): \(String(cString: strerror(code)))"
    return advice.isEmpty ? reason : "\(reason); \(advice)"
  }
}

/// Whether an error says that a disk or a quota is full.
package func isOutOfSpace(_ error: any Error) -> Bool {
  switch error {
  case let error as SystemError: error.code == ENOSPC || error.code == EDQUOT
  case let error as CocoaError: error.code == .fileWriteOutOfSpace
  default: false
  }
}
