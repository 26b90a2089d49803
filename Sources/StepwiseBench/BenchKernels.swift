// `stepwise-bench kernels`: each kernel at the shapes of SD-Turbo and of the embedded model, compared with the peak of
// this machine: a large matrix product for kernels that compute, a large copy for kernels that move memory.

import ArgumentParser
import Engine
import Foundation
import Programs
import Supervision
import Telemetry

struct BenchKernels: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Measure the GFLOP/s or GB/s of each kernel, compared with the peak of this machine.")

  @Option(help: "Seconds to repeat each kernel; the fastest run counts.") var seconds = 0.3
  @Option(help: "Measure only kernels whose name contains this text.") var only: String?
  @OptionGroup var options: BenchOptions

  struct Report: Encodable {
    struct Kernel: Encodable {
      let name, shape, unit: String
      let milliseconds, rate: Double
      let share: Double
    }

    let peer: String
    let threads: Int
    let peakGflopPerSecond, peakGbPerSecond: Double
    let kernels: [Kernel]
  }

  func validate() throws { try requirePositive(["seconds": seconds]) }

  func run() throws {
    try options.start()
    let kernels = BenchKernel.all.filter { kernel in only.map { kernel.name.contains($0) } ?? true }
    guard !kernels.isEmpty else {
      let names = Set(BenchKernel.all.map(\.name)).sorted().joined(separator: ", ")
      throw CommandError("--only: no kernel has a name with \(only ?? ""); kernels: \(names)")
    }
    let product = rate(BenchKernel.peakProduct), copy = rate(BenchKernel.peakCopy)
    let report = Report(
      peer: BenchMeasurement.name, threads: Compute.threads, peakGflopPerSecond: product.rate.rounded(toPlaces: 1),
      peakGbPerSecond: copy.rate.rounded(toPlaces: 1),
      kernels: kernels.map { kernel in
        let (time, found) = rate(kernel)
        let peak = kernel.unit == .operations ? product.rate : copy.rate
        return Report.Kernel(
          name: kernel.name, shape: kernel.shape, unit: kernel.unit.rawValue,
          milliseconds: (time * 1e3).rounded(toPlaces: 4), rate: found.rounded(toPlaces: 2),
          share: (found / peak).rounded(toPlaces: 3))
      })
    try options.show(report, text: table(report))
  }

  /// Seconds of the fastest run, and 10^9 operations or bytes per second.
  private func rate(_ kernel: BenchKernel) -> (seconds: Double, rate: Double) {
    let work = kernel.prepare()
    work()
    var best = Double.infinity, total = 0.0
    while total < seconds {
      let time = BenchMeasurement.seconds(work)
      best = min(best, time)
      total += time
    }
    return (best, kernel.amount / best / 1e9)
  }

  private func table(_ report: Report) -> String {
    let rows = report.kernels.map { kernel in
      [
        kernel.name, kernel.shape, String(format: "%.3f", kernel.milliseconds),
        String(format: "%.1f ", kernel.rate) + kernel.unit, String(format: "%.0f%%", 100 * kernel.share),
      ]
    }
    return TextTable.text([["kernel", "shape", "ms", "rate", "of peak"]] + rows)
      + String(
        format: "peak: %.1f GFLOP/s (product of 2048 x 2048 matrices), %.1f GB/s (y = x for 128 MB, read and written)",
        report.peakGflopPerSecond, report.peakGbPerSecond)
  }
}
