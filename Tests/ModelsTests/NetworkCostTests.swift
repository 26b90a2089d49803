// The cost of a network that is told before loading agrees with the loaded network.

import Engine
import Fixtures
import Foundation
import Layers
import Models
import Testing

private let repository = TinyModel.repository

private func values(_ path: String) throws -> ModelConfiguration {
  try ModelConfiguration(file: repository.appending(path: "\(path)/config.json"))
}

private func count(_ parameters: [Parameter]) -> Int { parameters.reduce(0) { $0 + $1.value.count } }

@Suite struct NetworkCostTests {
  @Test(arguments: ["Tests/Golden/models/sd1", "Tests/Golden/models/sd2", "Models/emoji-turbo"])
  func `the counted weights are the loaded weights`(model: String) throws {
    try Compute.start()
    let folder = repository.appending(path: model)
    let unet = try UNet2DCondition(folder: folder.appending(path: "unet"))
    #expect(try unet.configuration.cost(batch: 1, tokens: 3).parameters == count(unet.parameters))
    let vae = try AutoencoderKL(folder: folder.appending(path: "vae"))
    let parts = try [
      vae.configuration.decodingCost(batch: 1, latent: 8), vae.configuration.encodingCost(batch: 1, latent: 8),
    ]
    #expect(parts.reduce(0) { $0 + $1.parameters } == count(vae.parameters))
    let text = try CLIPText(folder: folder.appending(path: "text_encoder"))
    #expect(try text.configuration.cost(batch: 1, tokens: 3).parameters == count(text.parameters))
  }

  @Test func `the tiny autoencoder's weights are counted too`() throws {
    try Compute.start()
    let tiny = try AutoencoderTiny(folder: repository.appending(path: "Tests/Golden/models/tiny-vae"))
    let parts = try [
      tiny.configuration.decodingCost(batch: 1, latent: 8), tiny.configuration.encodingCost(batch: 1, latent: 8),
    ]
    #expect(parts.reduce(0) { $0 + $1.parameters } == count(tiny.parameters))
  }

  // The figures of torch's own counters for these configurations.
  @Test func `SD-Turbo's UNet has 866 million weights and takes 804 GFLOP, and decoding 2,515`() throws {
    let unet = try UNetConfiguration(values("Benchmarks/sd-turbo/unet")).cost(batch: 1, tokens: 77)
    #expect(unet.parameters == 865_910_724)
    #expect(abs(unet.operations / 1e9 - 804) < 1)
    let vae = try AutoencoderConfiguration(values("Benchmarks/sd-turbo/vae"))
    #expect(try abs(vae.decodingCost(batch: 1, latent: 64).operations / 1e9 - 2515) < 1)
    let parts = try [vae.decodingCost(batch: 1, latent: 64), vae.encodingCost(batch: 1, latent: 64)]
    #expect(parts[0].parameters + parts[1].parameters == 83_653_863)
  }

  @Test func `operations are proportional to the batch size, and weights do not depend on it`() throws {
    let unet = try UNetConfiguration(values("Tests/Golden/models/sd2/unet"))
    let (one, three) = try (unet.cost(batch: 1, tokens: 12), unet.cost(batch: 3, tokens: 12))
    #expect(three.parameters == one.parameters && three.operations == 3 * one.operations)
    #expect(three.outputs == 3 * one.outputs && three.widest == 3 * one.widest)
  }
}

@Suite struct MemoryDemandTests {
  @Test func `a demand above the available memory is refused with all sizes`() throws {
    var demand = MemoryDemand()
    demand.add("unet weights", bytes: 3_464_000_000)
    demand.add("activations", bytes: 5_000_000)
    try demand.require(available: 3_469_000_000, advice: "")
    do {
      try demand.require(available: 2_000_000_000, advice: "Lower the batch.")
      Issue.record("it was accepted")
    } catch {
      let text = "\(error)"
      for part in ["3.5 GB", "unet weights", "activations 5 MB", "2.0 GB", "Lower the batch."] {
        #expect(text.contains(part), "\(text)")
      }
    }
  }

  @Test func `a model that does not fit is refused before its weights are read`() throws {
    // This folder has no weights.
    let folder = repository.appending(path: "Benchmarks/sd-turbo")
    let error = #expect(throws: MemoryShortage.self) {
      try TextToImageModel.requireMemory(folder: folder, trained: 16, advice: "Take less.", available: 8_000_000_000)
    }
    let text = try #require(error).description
    #expect(text.contains("sd-turbo/unet: weights 3.5 GB") && text.contains("16 samples"), "\(text)")
    try TextToImageModel.requireMemory(folder: folder, advice: "", available: 8_000_000_000)
    try TextToImageModel.requireMemory(folder: folder, trained: 1000, advice: "", available: nil)
  }
}
