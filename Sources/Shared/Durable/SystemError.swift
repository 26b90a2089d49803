// The one error for a failed system call. It keeps errno, so that a caller can tell a full disk from a missing folder
// without comparing text.

internal import Foundation
internal import Glibc

package struct SystemError: Error, CustomStringConvertible, Equatable {
  /// The value of errno.
  package let code: Int32
  /// The file or folder; empty when the call has none.
  package let path: String
  /// What failed, as a clause: "could not be written".
  package let problem: String
  /// What the user can do; empty when there is no advice to give.
  package let advice: String

  /// - Parameters:
  ///   - code: the value of errno; the default reads it, so create the error right after the failed call.
  ///   - advice: what the user can do; nil derives it from the code.
  package init(_ problem: String, path: String = "", code: Int32 = errno, advice: String? = nil) {
    (self.code, self.path, self.problem) = (code, path, problem)
    self.advice = advice ?? Self.advice(code)
  }

  /// Takes errno from an error of Foundation; an error without one counts as EIO.
  package init(_ problem: String, path: String, cause: any Error) {
    let code = ((cause as? CocoaError)?.underlying as? POSIXError)?.code.rawValue
    self.init(problem, path: path, code: code ?? EIO)
  }

  package var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }

  package var description: String {
    let reason = (path.isEmpty ? "" : "\(path): ") + "\(problem): \(String(cString: strerror(code)))"
    return advice.isEmpty ? reason : "\(reason); \(advice)"
  }

  private static func advice(_ code: Int32) -> String {
    switch code {
    case ENOSPC: "free space on this disk"
    case EDQUOT: "free space, or raise the quota"
    case EACCES, EPERM: "check the permissions"
    case ENOENT, ENOTDIR: "check the path"
    case EROFS: "choose a folder on a writable file system"
    case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
    case ENOLCK, EOPNOTSUPP: "choose a folder on a file system that supports locks"
    default: ""
    }
  }
}

package func isOutOfSpace(_ error: any Error) -> Bool {
  switch error {
  case let error as SystemError: error.isOutOfSpace
  case let error as CocoaError:
    error.code == .fileWriteOutOfSpace || SystemError("", path: "", cause: error).isOutOfSpace
  default: false
  }
}
