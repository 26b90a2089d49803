// Time and memory of repeated work.

import Basics
import Engine
import Foundation
import Glibc

/// Seconds of every run of some work, the first of which, untimed, warmed up.
struct BenchMeasurement {
  let seconds: [Double]
  /// Mean of the processor's seconds in a run, all threads together: it hardly depends on what else the machine does.
  let processorSeconds: Double

  init(runs: Int, _ work: () throws -> Void) rethrows {
    try work()
    let began = Self.processorTime
    seconds = try (0..<runs).map { _ in try Self.seconds(work) }
    processorSeconds = (Self.processorTime - began) / Double(runs)
  }

  var median: Double { Self.median(seconds) }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted(), middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// Seconds that some work takes.
  static func seconds(_ work: () throws -> Void) rethrows -> Double {
    try ContinuousClock().measure(work).seconds
  }

  /// Seconds that the processor has worked for this process, in all threads.
  static var processorTime: Double {
    let usage = Self.usage
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }

  private static var usage: rusage {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage
  }

  /// The most memory that this process ever had, in units of 10^9 bytes, as the peers count it.
  static var peakMemory: Double { (Double(usage.ru_maxrss) / 1e6).rounded(toPlaces: 2) }

  /// Names this program as the peers name themselves.
  static var name: String { "stepwise, OpenBLAS kernels \(Compute.kernels)" }
}

extension Double {
  func rounded(toPlaces places: Int) -> Double {
    let scale = pow(10, Double(places))
    return (self * scale).rounded() / scale
  }
}
