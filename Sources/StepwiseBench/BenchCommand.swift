// `stepwise-bench`: measures the parts of training on this machine, with the units and JSON keys of Benchmarks/peers,
// which do the same work in PyTorch.

import ArgumentParser

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
