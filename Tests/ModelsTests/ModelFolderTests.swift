// Folders that do not hold a usable model are refused with a message that names the file and the problem.

import Engine
import Fixtures
import Foundation
import Layers
import Models
import Testing

private let golden = TinyModel.repository.appending(path: "Tests/Golden/models")

private func withCopy(of name: String, _ body: (URL) throws -> Void) throws {
  try Compute.start()
  let folder = FileManager.default.temporaryDirectory.appending(path: "stepwise-models-" + UUID().uuidString)
  defer { try? FileManager.default.removeItem(at: folder) }
  try FileManager.default.copyItem(at: golden.appending(path: name), to: folder)
  try body(folder)
}

/// Replaces one text in a file.
private func edit(_ file: URL, _ old: String, _ new: String) throws {
  let text = try String(contentsOf: file, encoding: .utf8)
  try #require(text.contains(old))
  try FileManager.default.removeItem(at: file)
  try Data(text.replacing(old, with: new).utf8).write(to: file)
}

private func message(_ work: () throws -> some Any) -> String {
  do {
    _ = try work()
    return "nothing was thrown"
  } catch {
    return "\(error)"
  }
}

@Suite struct ModelFolderTests {
  private var letters: Tokenizer {
    get throws {
      try Tokenizer(
        files: TokenizerFiles(vocabulary: ["<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "a</w>": 3]),
        name: "letters", maximumLength: 12)
    }
  }

  @Test func `an unsupported architecture is refused by its class name`() throws {
    try withCopy(of: "sd2") { folder in
      try edit(folder.appending(path: "vae/config.json"), "AutoencoderKL", "AsymmetricAutoencoderKL")
      #expect(message { try AutoencoderKL(folder: folder.appending(path: "vae")) }.contains("AsymmetricAutoencoderKL"))
      try edit(folder.appending(path: "unet/config.json"), "UNet2DConditionModel", "SD3Transformer2DModel")
      let text = message { try UNet2DCondition(folder: folder.appending(path: "unet")) }
      #expect(text.contains("_class_name is \"SD3Transformer2DModel\""), "\(text)")
      #expect(text.contains("UNet2DConditionModel"), "\(text)")
      try edit(folder.appending(path: "text_encoder/config.json"), "clip_text_model", "t5")
      #expect(message { try CLIPText(folder: folder.appending(path: "text_encoder")) }.contains("\"t5\""))
      try edit(folder.appending(path: "model_index.json"), "StableDiffusionPipeline", "StableDiffusionXLPipeline")
      let whole = message { try TextToImageModel(folder: folder, tokenizer: letters) }
      #expect(whole.contains("model_index.json") && whole.contains("StableDiffusionXLPipeline"), "\(whole)")
    }
    let tiny = message { try AutoencoderTiny(folder: golden.appending(path: "sd2/vae")) }
    #expect(tiny.contains("AutoencoderKL") && tiny.contains("AutoencoderTiny"), "\(tiny)")
  }

  @Test func `a weight that does not fit the configuration is named with both shapes`() throws {
    try withCopy(of: "tiny-vae") { folder in
      for key in ["encoder", "decoder"] {
        try edit(
          folder.appending(path: "config.json"), "\"\(key)_block_out_channels\": [\n    16,\n    16,\n    16",
          "\"\(key)_block_out_channels\": [\n    24,\n    24,\n    24")
      }
      let text = message { try AutoencoderTiny(folder: folder) }
      for part in [folder.path, "encoder.layers.0.weight", "[24, 3, 3, 3]", "[16, 3, 3, 3]"] {
        #expect(text.contains(part), "\(text)")
      }
    }
  }

  @Test func `truncated weights are refused before anything is loaded`() throws {
    try withCopy(of: "sd2") { folder in
      let file = folder.appending(path: "unet/diffusion_pytorch_model.safetensors")
      let data = try Data(contentsOf: file)
      try FileManager.default.removeItem(at: file)
      try data.prefix(data.count / 2).write(to: file)
      let text = message { try TextToImageModel(folder: folder, tokenizer: letters) }
      #expect(text.contains(file.path) && text.contains("cut short"), "\(text)")
    }
  }

  @Test func `a tiny decoder with other shapes than the autoencoder is refused`() throws {
    try withCopy(of: "sd2") { folder in
      let model = try TextToImageModel(folder: folder, tokenizer: letters)
      let text = message { try model.useTinyDecoder(golden.appending(path: "tiny-vae")) }
      #expect(text.contains("tiny-vae") && text.contains("reduction of 2"), "\(text)")
      #expect(model.decoder === model.vae)
    }
  }

  @Test func `random weights need only configurations, and are the same for the same seed`() throws {
    try withCopy(of: "sd2") { folder in
      for part in ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"] {
        try FileManager.default.removeItem(at: folder.appending(path: "\(part).safetensors"))
      }
      let models = try [UInt64(1), 1, 2].map { seed in
        try TextToImageModel(folder: folder, weights: .random(seed: seed), tokenizer: letters)
      }
      let pictures = try models.map { model in
        let text = try model.encode(["a"])
        var stream = RandomStream(seed: 5)
        let latents = stream.normal([1] + model.latentShape)
        return model.decode(model.unet(latents, timesteps: [500], encoderHiddenStates: text))
      }
      #expect(pictures[0].values == pictures[1].values && pictures[0].values != pictures[2].values)
      #expect(pictures[0].values.allSatisfy(\.isFinite) && (pictures[0].values.max() ?? 0) > 1e-3)
      #expect(models[0].fingerprint == models[1].fingerprint && models[0].fingerprint != models[2].fingerprint)
      let without = message { try TextToImageModel(folder: folder, tokenizer: letters) }
      #expect(without.contains("text_encoder") && without.contains("model.safetensors"), "\(without)")
    }
  }

  @Test func `half-precision weights in shards give the results of the whole file`() throws {
    try withCopy(of: "tiny-vae") { folder in
      let whole = try AutoencoderTiny(folder: folder)
      var writers = [SafetensorsWriter(), SafetensorsWriter()]
      var map: [String: String] = [:]
      let names = (1...2).map { String(format: "diffusion_pytorch_model-%05d-of-00002.safetensors", $0) }
      for (place, parameter) in whole.parameters.enumerated() {
        writers[place % 2].add(parameter.name, parameter.stored, as: .float16)
        map[parameter.name] = names[place % 2]
      }
      for (name, writer) in zip(names, writers) { try writer.write(to: folder.appending(path: name)) }
      try FileManager.default.removeItem(at: folder.appending(path: "diffusion_pytorch_model.safetensors"))
      try JSONEncoder().encode(["weight_map": map])
        .write(to: folder.appending(path: "diffusion_pytorch_model.safetensors.index.json"))
      let sharded = try AutoencoderTiny(folder: folder)
      var stream = RandomStream(seed: 3)
      let latents = stream.normal([1, 4, 6, 6]), expected = whole.decode(latents)
      let difference = (sharded.decode(latents) - expected).abs().values.max() ?? 1
      // Rounding to float16 changes each weight by up to a factor of 2^-11.
      #expect(difference > 0 && difference < 5e-3 * (expected.abs().values.max() ?? 0), "\(difference)")
    }
  }
}
