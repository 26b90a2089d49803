// `stepwise-bench` prints the keys of the scripts in Benchmarks/peers, and explains what it cannot measure.

import Engine
import Fixtures
import Foundation
import Models
import Testing

private let golden = repository.appending(path: "Tests/Golden/models").path

private func report(_ arguments: [String]) throws -> [String: JSONValue] {
  try withTemporaryFolder { folder in
    let result = try Program.bench.succeed(arguments + ["--json", "--threads", "2"], in: folder)
    return try JSONDecoder().decode([String: JSONValue].self, from: Data(result.output.utf8))
  }
}

private func number(_ value: JSONValue?) -> Double {
  if case .number(let number)? = value { return number }
  return .nan
}

@Suite struct BenchTests {
  @Test(arguments: [
    ["unet", "--config", golden + "/sd2/unet/config.json", "--tokens", "12", "--batch", "2"],
    ["unet", "--config", golden + "/sd1/unet/config.json", "--tokens", "12", "--mode", "lora", "--latent", "6"],
    ["vae", "--config", golden + "/sd2/vae/config.json", "--latent", "8"],
    ["vae", "--config", golden + "/sd2/vae/config.json", "--latent", "8", "--mode", "encode"],
    ["vae", "--config", golden + "/tiny-vae/config.json", "--latent", "6"],
    ["vae", "--config", golden + "/tiny-vae/config.json", "--latent", "6", "--mode", "encode"],
    ["text", "--config", golden + "/sd2/text_encoder/config.json", "--tokens", "12"],
  ])
  func `the report of a network has the keys of the peers`(arguments: [String]) throws {
    let report = try report(arguments + ["--runs", "3"])
    for key in ["peer", "mode", "batch", "threads", "seconds", "all_seconds", "peak_memory_gb"] {
      #expect(report[key] != nil, "\(key)")
    }
    guard case .array(let runs)? = report["all_seconds"] else { throw CocoaError(.coderInvalidValue) }
    #expect(runs.count == 3 && number(report["threads"]) == 2 && number(report["gflop"]) > 0)
  }

  @Test func `an epoch of SDPO is measured on a folder without a tokenizer`() throws {
    let report = try report([
      "sdpo", "--model", golden + "/sd2", "--pairs", "4", "--batch", "2", "--train-batch", "1", "--steps", "2",
      "--epochs", "1",
    ])
    for key in [
      "pairs_sampled_per_second", "pair_steps_trained_per_second", "seconds_per_epoch", "peak_memory_gb",
    ] {
      #expect(number(report[key]) > 0, "\(key)")
    }
    #expect(number(report["train_batch"]) == 1 && number(report["tokens"]) == 12)
  }

  @Test func `only groups that a replay returns unchanged are counted`() throws {
    try withTemporaryFolder { folder in
      let result = try Program.bench.succeed(
        [
          "replay", "--seconds", "0.1", "--bytes", "4096", "--load", "2x4", "--folder", ".", "--memory", ".",
          "--acknowledged", "memory", "system", "disk", "--json",
        ], in: folder)
      let lines = try result.output.split(separator: "\n").map {
        try JSONDecoder().decode([String: JSONValue].self, from: Data($0.utf8))
      }
      // Three acknowledgements on two kinds of connection, three sources to sample from, and a recovery.
      #expect(lines.count == 3 * 2 + 3 + 1)
      for line in lines { #expect(number(line["verified"]) > 0 && number(line["items_per_second"]) > 0, "\(line)") }
      try Program.bench.fail(["replay", "--load", "many"], in: folder, "as 2x25")
    }
  }

  @Test func `the rate of a kernel is reported next to the peak of the machine`() throws {
    let report = try report(["kernels", "--only", "SiLU", "--seconds", "0.001"])
    #expect(number(report["peak_gflop_per_second"]) > 0 && number(report["peak_gb_per_second"]) > 0)
    guard case .array(let kernels)? = report["kernels"] else { throw CocoaError(.coderInvalidValue) }
    #expect(kernels.count == 2)
  }

  @Test(arguments: [
    (["unet", "--config", "none.json"], "none.json"),
    (["unet", "--config", golden + "/sd2/vae/config.json"], "UNet2DConditionModel"),
    (["unet", "--config", golden + "/sd2/unet/config.json", "--batch", "90000000"], "values between layers"),
    (["vae", "--config", golden + "/sd2/unet/config.json"], "AutoencoderKL"),
    (["text", "--config", golden + "/sd2/text_encoder/config.json", "--tokens", "13"], "at most 12"),
    (["sdpo", "--model", "none"], "none/model_index.json"),
    (["sdpo", "--model", golden + "/sd2", "--pairs", "5"], "a multiple of --batch"),
    (["kernels", "--only", "magic"], "attention"),
    (["unet", "--config", "x", "--runs", "0"], "--runs"),
  ])
  func `an error explains what cannot be measured`(arguments: [String], text: String) throws {
    _ = try withTemporaryFolder { try Program.bench.fail(arguments, in: $0, text) }
  }
}
