// LoRA adapters of some of the attention projections.

import Engine
import Fixtures
import Foundation
import Layers
import Models
import Testing

@Suite struct LoRATargetsTests {
  let unet: UNet2DCondition

  init() throws {
    try Compute.start()
    unet = try UNet2DCondition(folder: TinyModel.repository.appending(path: "Tests/Golden/models/sd2/unet"))
  }

  @Test func `targets choose projections by the ends of their names`() throws {
    try unet.addLoRA(rank: 2, alpha: 2, targets: ["attn1.to_q", "to_out.0"], random: RandomStream(seed: 1))
    for layer in unet.attentionProjections {
      let isChosen = layer.name.hasSuffix("attn1.to_q") || layer.name.hasSuffix("to_out.0")
      #expect((layer.adapter != nil) == isChosen, "\(layer.name)")
    }
  }

  @Test func `a target that fits no projection is refused by name, and nothing is added`() {
    let error = #expect(throws: ModelConfigurationError.self) {
      try unet.addLoRA(rank: 2, alpha: 2, targets: ["to_q", "o_q"], random: RandomStream(seed: 1))
    }
    #expect(error?.description.contains("o_q") == true)
    #expect(unet.loraParameters.isEmpty)
  }

  @Test func `an adapter of some projections is written as diffusers reads it, and is read back`() throws {
    try unet.addLoRA(rank: 2, alpha: 4, targets: ["attn2.to_v"], random: RandomStream(seed: 1))
    let file = FileManager.default.temporaryDirectory.appending(path: "lora-" + UUID().uuidString + ".safetensors")
    defer { try? FileManager.default.removeItem(at: file) }
    try unet.loraWriter().write(to: file)
    let names = unet.loraParameters.map(\.name)
    let stored = try SafetensorsFile(file)
    let metadata = try #require(stored.metadata["lora_adapter_metadata"])
    #expect(metadata.contains("attn2.to_v") && !metadata.contains("to_q"))
    unet.removeLoRA()
    try unet.loadLoRA(stored)
    #expect(unet.loraParameters.map(\.name) == names)
    #expect(unet.attentionProjections.compactMap(\.adapter).allSatisfy { $0.scale == 2 })
  }
}
