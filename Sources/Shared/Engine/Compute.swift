// Threads and kernels, one setting for OpenBLAS and our own loops.

internal import CKernels
internal import COpenBLAS
internal import Glibc

/// The machine's arithmetic, as this process uses it.
package enum Compute {
  /// OpenBLAS could not be used.
  package struct Unavailable: Error, CustomStringConvertible {
    package let description: String
  }

  /// Loads OpenBLAS with the fastest kernels this CPU has. Call it once, before the first product.
  ///
  /// - Parameter threads: worker threads for everything; nil takes `STEPWISE_THREADS`, or else all cores. Several
  ///   processes on one machine should share the cores out between them.
  /// - Throws: `Unavailable` when the library cannot be loaded.
  package static func start(threads: Int? = nil) throws {
    guard sw_blas_load() == 0 else {
      throw Unavailable(
        description: "OpenBLAS: expected the shared library libopenblas.so.0, the loader says: "
          + String(cString: sw_blas_error()) + ". Install Debian's libopenblas-dev.")
    }
    let environment = getenv("STEPWISE_THREADS").flatMap { Int(String(cString: $0)) }
    sw_set_threads(Int32(threads ?? environment ?? 0))
  }

  /// Number of threads in use.
  package static var threads: Int { Int(sw_threads()) }

  /// OpenBLAS' name of the kernels in use, as "SkylakeX".
  package static var kernels: String { String(cString: sw_blas_core()) }

  /// Whether the kernels in use are known to waste this machine.
  package static var kernelsAreSlow: Bool {
    ["Prescott", "Core2", "Katmai", "Coppermine", "Northwood", "Banias", "Generic"].contains {
      $0.lowercased() == kernels.lowercased()
    }
  }

  /// One line for a program's log: kernels, threads, and a warning where one is due.
  package static var summary: String {
    let line = "OpenBLAS kernels \(kernels), \(threads) thread\(threads == 1 ? "" : "s")"
    guard kernelsAreSlow else { return line }
    return line + "; these kernels are slow on this CPU: unset OPENBLAS_CORETYPE, or set it to SkylakeX or Haswell"
  }
}
