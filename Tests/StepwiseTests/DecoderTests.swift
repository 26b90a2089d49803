// Pictures by an AutoencoderTiny, and by random weights.

import Engine
import Fixtures
import Foundation
import Layers
import Models
import Testing

@Suite struct DecoderTests {
  /// An AutoencoderTiny for the test model: 4 latent channels, 2 x 2 pixels per latent position.
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

  @Test func `the scores with a tiny decoder are reported next to those with the autoencoder of the model`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try makeTiny(in: folder.appending(path: "tiny"))
      try Data("cat\n".utf8).write(to: folder.appending(path: "prompts.txt"))
      let arguments = [
        "evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "jpeg-compressibility", "--seeds",
        "2", "--steps", "2", "--json",
      ]
      let alone = try Program.stepwise.run(arguments + ["alone.json"], in: folder)
      let both = try Program.stepwise.run(arguments + ["both.json", "--tiny-decoder", "tiny"], in: folder)
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

  @Test func `random weights need the configurations of a model and a tokenizer only`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      for part in ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"] {
        try FileManager.default.removeItem(at: model.appending(path: "\(part).safetensors"))
      }
      try FileManager.default.moveItem(at: model.appending(path: "tokenizer"), to: folder.appending(path: "words"))
      let arguments = [
        "generate", "--model", model.path, "--prompt", "a cat", "--steps", "1", "--random-weights", "3", "--out", "out",
      ]
      try Program.stepwise.fail(arguments, in: folder, "--tokenizer")
      try Program.stepwise.succeed(arguments + ["--tokenizer", "words"], in: folder)
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: "out/0000.png").path))
    }
  }
}
