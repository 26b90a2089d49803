// One measurement of `stepwise-bench replay`, with the keys of Benchmarks/peers/reverb_replay.py.

import Foundation

struct ReplayMeasurement: Codable {
  var peer = "stepwise"
  let operation: String
  let bytes: Int
  var writers: Int?
  var samplers: Int?
  var inFlight: Int?
  var connection: String?
  var acknowledged: String?
  var source: String?
  /// Bytes per segment, where segments were sealed during the measurement.
  var segmentBytes: Int?
  /// Maximum seconds between two acknowledgements.
  var longestPause: Double?
  var seconds: Double?
  let itemsPerSecond: Double
  let mbPerSecond: Double
  /// Groups that were stored or sampled unchanged.
  let verified: Int

  var line: String {
    let how = [
      connection, acknowledged.map { "acknowledged from \($0)" }, writers.map { "\($0) writers" },
      inFlight.map { "\($0) in flight each" }, source.map { "from \($0)" },
      segmentBytes.map { "segments of \($0 >> 20) MiB" },
      longestPause.map { String(format: "longest pause %.1f ms", 1000 * $0) },
      seconds.map { String(format: "%.2f s in total", $0) },
    ].compactMap(\.self).joined(separator: ", ")
    let what = String(
      format: "%@ %d bytes: %.1f/s, %.1f MB/s, %d verified; ", operation, bytes, itemsPerSecond,
      mbPerSecond, verified)
    return what + how
  }
}
