// `stepwise-bench`: how fast this machine does what training consists of, in the units and with the JSON keys of
// Benchmarks/peers, which do the same work in PyTorch.

import ArgumentParser
import Engine
import Foundation

@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-bench", abstract: "Measure networks, an epoch of SDPO, kernels, and the wire on this machine.",
    discussion: """
      Networks are made from a config.json with random weights, so nothing need be downloaded. \
      Benchmarks/compare.sh runs these beside PyTorch.
      """,
    subcommands: [BenchUNet.self, BenchVAE.self, BenchText.self, BenchSDPO.self, BenchKernels.self, BenchWire.self,
      BenchReplay.self,
    ])
}

/// What all benchmarks take.
struct BenchOptions: ParsableArguments {
  @Option(help: "Worker threads; all cores when absent.") var threads: Int?
  @Option(help: "Seed of weights and inputs.") var seed: UInt64 = 0
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads: expected a positive number, found \(threads)")
    }
  }

  /// Starts the arithmetic.
  func start() throws {
    try Compute.start(threads: threads)
    FileHandle.standardError.write(Data("\(Compute.summary)\n".utf8))
  }

  /// Prints a result: as JSON, or as the line for people.
  func show(_ report: some Encodable, text: String) throws {
    guard json else { return print(text) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
  }
}

/// Requires option values above zero, naming the one that is not.
func requirePositive(_ options: KeyValuePairs<String, Int>) throws {
  for (name, value) in options where value < 1 {
    throw ValidationError("--\(name): expected a positive number, found \(value)")
  }
}
