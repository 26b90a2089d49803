// `bench` prints what the peers' scripts print, and refuses what cannot be measured.

import Engine
import Fixtures
import Foundation
import Layers
import Models
import Testing

private let golden = repository.appending(path: "Tests/Golden/models").path

private func report(_ arguments: [String]) throws -> [String: JSONValue] {
  try withTemporaryFolder { folder in
    let result = try Program.built.run(["bench"] + arguments + ["--json", "--threads", "2"], in: folder)
    try #require(result.status == 0, "\(result.errors)")
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
  func `a network's report has the peers' keys`(arguments: [String]) throws {
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

  @Test func `what goes into a replay and comes out of it is counted when it is as it was made`() throws {
    try withTemporaryFolder { folder in
      let result = try Program.built.run(
        [
          "bench", "replay", "--seconds", "0.1", "--bytes", "4096", "--load", "2x4", "--folder", ".", "--memory", ".",
          "--acknowledged", "memory", "system", "disk", "--json",
        ], in: folder)
      try #require(result.status == 0, "\(result.errors)")
      let lines = try result.output.split(separator: "\n").map {
        try JSONDecoder().decode([String: JSONValue].self, from: Data($0.utf8))
      }
      // Three promises on two kinds of connection, three places to draw from, and a recovery.
      #expect(lines.count == 3 * 2 + 3 + 1)
      for line in lines { #expect(number(line["verified"]) > 0 && number(line["items_per_second"]) > 0, "\(line)") }
      let wrong = try Program.built.run(["bench", "replay", "--load", "many"], in: folder)
      #expect(wrong.status != 0 && wrong.errors.contains("as 2x25"), "\(wrong.errors)")
    }
  }

  @Test func `a kernel's rate stands beside the machine's peak`() throws {
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
    (["sdpo", "--model", golden + "/sd2", "--pairs", "5"], "multiple of --batch"),
    (["kernels", "--only", "magic"], "attention"),
    (["unet", "--config", "x", "--runs", "0"], "--runs"),
  ])
  func `what cannot be measured is explained`(arguments: [String], text: String) throws {
    try withTemporaryFolder { folder in
      let result = try Program.built.run(["bench"] + arguments, in: folder)
      #expect(result.status != 0 && result.errors.contains(text), "\(result.errors)")
    }
  }
}

@Suite struct DecoderTests {
  /// An AutoencoderTiny for the test model: 4 channels, two pixels a latent's side.
  private func makeTiny(in folder: URL) throws {
    let json = """
      {"_class_name": "AutoencoderTiny", "in_channels": 3, "out_channels": 3, "latent_channels": 4,
       "encoder_block_out_channels": [8, 8], "decoder_block_out_channels": [8, 8], "num_encoder_blocks": [1, 1],
       "num_decoder_blocks": [1, 1], "act_fn": "relu", "scaling_factor": 1.0}
      """
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(json.utf8).write(to: folder.appending(path: "config.json"))
    let tiny = try AutoencoderTiny(folder: folder, weights: .random(seed: 1))
    var writer = SafetensorsWriter()
    for parameter in tiny.parameters { writer.add(parameter.name, parameter.stored) }
    try writer.write(to: folder.appending(path: "diffusion_pytorch_model.safetensors"))
  }

  @Test func `a tiny decoder's scores stand beside those of the model's own autoencoder`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try makeTiny(in: folder.appending(path: "tiny"))
      try Data("cat\n".utf8).write(to: folder.appending(path: "prompts.txt"))
      let arguments = [
        "evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "jpeg-compressibility", "--seeds", "2",
        "--steps", "2", "--json",
      ]
      let alone = try Program.built.run(arguments + ["alone.json"], in: folder)
      let both = try Program.built.run(arguments + ["both.json", "--tiny-decoder", "tiny"], in: folder)
      #expect(alone.status == 0 && both.status == 0, "\(alone.errors)\(both.errors)")
      #expect(both.output.contains("jpeg-compressibility, tiny decoder"), "\(both.output)")
      #expect(!alone.output.contains("tiny"))
      let reports = try ["alone.json", "both.json"].map { name in
        try JSONDecoder().decode([String: JSONValue].self, from: Data(contentsOf: folder.appending(path: name)))
      }
      #expect(reports[0]["rewards"] == reports[1]["rewards"] && reports[0]["tinyRewards"] == nil)
      #expect(reports[1]["tinyRewards"] != nil && reports[1]["tinyRewards"] != reports[1]["rewards"])
    }
  }

  @Test func `random weights make pictures from configurations and a tokenizer, and say when it is missing`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      for part in ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"] {
        try FileManager.default.removeItem(at: model.appending(path: "\(part).safetensors"))
      }
      try FileManager.default.moveItem(at: model.appending(path: "tokenizer"), to: folder.appending(path: "words"))
      let arguments = [
        "generate", "--model", model.path, "--prompt", "a cat", "--steps", "1", "--random-weights", "3", "--out", "out",
      ]
      let without = try Program.built.run(arguments, in: folder)
      #expect(without.status != 0 && without.errors.contains("--tokenizer"), "\(without.errors)")
      let with = try Program.built.run(arguments + ["--tokenizer", "words"], in: folder)
      #expect(with.status == 0, "\(with.errors)")
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: "out/0000.png").path))
    }
  }
}
