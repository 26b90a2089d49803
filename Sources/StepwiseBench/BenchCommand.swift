// `stepwise-bench`: measures the parts of training on this machine, with the units and JSON keys of Benchmarks/peers,
// which do the same work in PyTorch.

import ArgumentParser
import Engine
import Foundation

@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise-bench",
    abstract: "Measure networks, epochs of SDPO, kernels, the router and the replay on this machine.",
    discussion: """
      Networks are created from a config.json with random weights, so no checkpoint is needed. Benchmarks/compare.sh \
      compares them with PyTorch.
      """,
    subcommands: [
      BenchUNet.self, BenchVAE.self, BenchText.self, BenchSDPO.self, BenchKernels.self, BenchWire.self,
      BenchReplay.self,
    ])
}

/// Options of all benchmarks that compute.
struct BenchOptions: ParsableArguments {
  @Option(help: "Worker threads. (default: all cores)") var threads: Int?
  @Option(help: "Seed of the weights and inputs.") var seed: UInt64 = 0
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if let threads, threads < 1 {
      throw ValidationError("--threads: expected a positive number, found \(threads)")
    }
  }

  /// Starts the compute threads.
  func start() throws {
    try Compute.start(threads: threads)
    FileHandle.standardError.write(Data("\(Compute.summary)\n".utf8))
  }

  /// Prints a result as JSON, or as text.
  func show(_ report: some Encodable, text: String) throws {
    guard json else { return print(text) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
  }
}

/// Throws `ValidationError` with the name of an option whose value is not positive.
func requirePositive(_ options: KeyValuePairs<String, Int>) throws {
  for (name, value) in options where value < 1 {
    throw ValidationError("--\(name): expected a positive number, found \(value)")
  }
}
