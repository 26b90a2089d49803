// Time and memory of repeated work.

import Basics
import Engine
import Foundation
import Glibc
import Threads

/// Repeated runs of some work, after one run that is not measured.
struct BenchMeasurement {
  let seconds: [Double]
  /// CPU seconds per run in all threads, on average; other load on the machine changes them little.
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

  static func seconds(_ work: () throws -> Void) rethrows -> Double {
    try ContinuousClock().measure(work).seconds
  }

  /// CPU seconds of this process so far, in all threads.
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

  /// Peak resident memory of this process in units of 10^9 bytes, as the peers report it.
  static var peakMemory: Double { (Double(usage.ru_maxrss) / 1e6).rounded(toPlaces: 2) }

  static var name: String { "stepwise, OpenBLAS kernels \(Compute.kernels)" }
}

extension Double {
  func rounded(toPlaces places: Int) -> Double {
    let scale = pow(10, Double(places))
    return (self * scale).rounded() / scale
  }
}
