import Engine
import Foundation
import Layers
import Models
import Testing

@Suite("LoRA targets")
struct LoRATargetsTests {
  let unet: UNet2DCondition

  init() throws {
    try Compute.start()
    let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/models/sd2/unet")
    unet = try UNet2DCondition(folder: golden)
  }

  @Test("choose the projections by the ends of their names")
  func chosen() throws {
    try unet.addLoRA(rank: 2, alpha: 2, targets: ["attn1.to_q", "to_out.0"], random: RandomStream(seed: 1))
    for layer in unet.attentionProjections {
      let isChosen = layer.name.hasSuffix("attn1.to_q") || layer.name.hasSuffix("to_out.0")
      #expect((layer.adapter != nil) == isChosen, "\(layer.name)")
    }
  }

  @Test("that fit nothing are refused by name, and nothing is added")
  func unknown() {
    let error = #expect(throws: ConfigurationError.self) {
      try unet.addLoRA(rank: 2, alpha: 2, targets: ["to_q", "o_q"], random: RandomStream(seed: 1))
    }
    #expect(error?.description.contains("o_q") == true)
    #expect(unet.loraParameters.isEmpty)
  }

  @Test("are written with an adapter of part of the projections, as diffusers reads them, and are read again")
  func file() throws {
    try unet.addLoRA(rank: 2, alpha: 4, targets: ["attn2.to_v"], random: RandomStream(seed: 1))
    let file = FileManager.default.temporaryDirectory.appending(path: "lora-" + UUID().uuidString + ".safetensors")
    defer { try? FileManager.default.removeItem(at: file) }
    try unet.saveLoRA(file)
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
