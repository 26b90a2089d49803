// The number of threads and the choice of kernels, set once for OpenBLAS and for the kernels of this project.

internal import CKernels
internal import COpenBLAS
internal import Glibc

package enum Compute {
  package struct Unavailable: Error, CustomStringConvertible {
    package let description: String
  }

  /// Loads OpenBLAS with the fastest kernels for this CPU. Call it once, before the first product.
  ///
  /// - Parameter threads: the number of threads for all kernels. With nil it is `STEPWISE_THREADS`, or the number of
  ///   cores if that is not set. Several processes on one machine should divide the cores among them.
  /// - Throws: `Unavailable` when the library cannot be loaded.
  package static func start(threads: Int? = nil) throws {
    guard sw_blas_load() == 0 else {
      throw Unavailable(
        description: "could not load OpenBLAS: " + String(cString: sw_blas_error())
          + ". Install the Debian package libopenblas-dev.")
    }
    let environment = getenv("STEPWISE_THREADS").flatMap { Int(String(cString: $0)) }
    sw_set_threads(Int32(threads ?? environment ?? 0))
  }

  package static var threads: Int { Int(sw_threads()) }

  /// The name of the OpenBLAS kernels in use, such as "SkylakeX".
  package static var kernels: String { String(cString: sw_blas_core()) }

  /// Whether the kernels in use are the generic ones, which use neither AVX2 nor AVX-512.
  package static var kernelsAreSlow: Bool {
    ["Prescott", "Core2", "Katmai", "Coppermine", "Northwood", "Banias", "Generic"].contains {
      $0.lowercased() == kernels.lowercased()
    }
  }

  /// One line for the log of a program: kernels, threads, and a warning if the kernels are slow.
  package static var summary: String {
    let line = "OpenBLAS kernels \(kernels), \(threads) thread\(threads == 1 ? "" : "s")"
    guard kernelsAreSlow else { return line }
    return line + "; these kernels are slow on this CPU: unset OPENBLAS_CORETYPE, or set it to SkylakeX or Haswell"
  }
}
