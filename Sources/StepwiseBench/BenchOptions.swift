// Options of all benchmarks that compute, and the output of a result.

import ArgumentParser
import Engine
import Foundation
import Programs

struct BenchOptions: ParsableArguments {
  @Option(help: "Worker threads. (default: all cores)") var threads: Int?
  @Option(help: "Seed of the weights and inputs.") var seed: UInt64 = 0
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    try requirePositive(["threads": threads ?? 1])
  }

  func start() throws {
    try Compute.start(threads: threads)
    FileHandle.standardError.write(Data("\(Compute.summary)\n".utf8))
  }

  func show(_ report: some Encodable, text: String) throws {
    print(json ? try jsonLine(report) : text)
  }
}

/// A result as one line of JSON with the keys of Benchmarks/peers.
func jsonLine(_ report: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  return String(decoding: try encoder.encode(report), as: UTF8.self)
}
