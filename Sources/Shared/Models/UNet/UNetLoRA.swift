// Low-rank adapters on the UNet's attention projections, in the files that diffusers reads and writes
// (pytorch_lora_weights.safetensors): `unet.<layer>.lora_A.weight` [rank, in] and `.lora_B.weight` [out, rank], or
// `.lora.down.weight` and `.lora.up.weight`, as its training scripts write them.

package import Engine
internal import Foundation
package import Layers

extension UNet2DCondition {
  /// The projections that `addLoRA` adapts by default: all projections of every attention.
  package static let loraTargets = ["to_q", "to_k", "to_v", "to_out.0"]

  /// Adds a new adapter: A ~ N(0, 1/rank²), B = 0, so that the model's output does not change until training moves B.
  ///
  /// - Parameter targets: ends of the names of attention projections, as in peft's target_modules: `to_q` for all
  ///   queries, `attn1.to_q` for those of self-attention only.
  /// - Throws: `ModelConfigurationError` naming a target that is not the end of any attention projection's name;
  ///   nothing is added in this case.
  package func addLoRA(
    rank: Int, alpha: Float, targets: [String] = UNet2DCondition.loraTargets, random: RandomStream
  ) throws {
    func fits(_ layer: Linear, _ target: String) -> Bool { ("." + layer.name).hasSuffix("." + target) }
    let layers = attentionProjections
    for target in targets where !layers.contains(where: { fits($0, target) }) {
      throw ModelConfigurationError(
        description: "LoRA target \(target): the name of no attention projection ends with it; use one of "
          + "\(Self.loraTargets.joined(separator: ", ")), or a name such as \(layers.first?.name ?? "attn1.to_q")")
    }
    for layer in layers where targets.contains(where: { fits(layer, $0) }) {
      var stream = random.fork(layer.name)
      layer.adapter = LoRA(
        name: "unet." + layer.name, down: stream.normal([rank, layer.inputs]) / Float(rank),
        up: Tensor.zeros([layer.outputs, rank]), alpha: alpha)
    }
  }

  package func removeLoRA() {
    for layer in attentionProjections { layer.adapter = nil }
  }

  /// The weights of the adapter, A before B, in the order of the layers; empty without an adapter.
  package var loraParameters: [Parameter] {
    attentionProjections.compactMap(\.adapter).flatMap { [$0.down, $0.up] }
  }

  /// Binds the adapter of a file, replacing any earlier one.
  ///
  /// - Parameter alpha: overrides the file's alpha; nil takes the file's, or the rank where the file has none, as
  ///   diffusers writes it when both are equal.
  /// - Throws: `CheckpointMismatch` when a layer has only half of an adapter, a shape does not fit, or a tensor belongs
  ///   to no attention projection of this model. The model is unchanged in this case.
  package func loadLoRA(_ file: SafetensorsFile, alpha: Float? = nil) throws {
    var adapters: [(layer: Linear, adapter: LoRA)] = []
    var left = Set(file.names)
    // diffusers writes lora_A and lora_B for saved adapters; its training scripts write lora.down and lora.up.
    func spelling(_ name: String) -> (String, String) {
      let (down, up) = (name + ".lora.down.weight", name + ".lora.up.weight")
      return left.contains(down) || left.contains(up)
        ? (down, up) : (name + ".lora_A.weight", name + ".lora_B.weight")
    }
    for layer in attentionProjections {
      let name = "unet." + layer.name
      let (a, b) = spelling(name)
      guard let shapeA = file.shape(of: a), let shapeB = file.shape(of: b) else {
        guard file.shape(of: a) == nil, file.shape(of: b) == nil else {
          throw CheckpointMismatch(
            description: "\(file.path): \(name) has only one of lora_A and lora_B (or down and up)")
        }
        continue
      }
      let rank = shapeA.first ?? 0
      guard rank > 0, shapeA == [rank, layer.inputs], shapeB == [layer.outputs, rank] else {
        throw CheckpointMismatch(
          description: "\(file.path): \(name): expected lora_A [rank, \(layer.inputs)] and lora_B [\(layer.outputs), "
            + "rank], found \(shapeA) and \(shapeB). Was the adapter made for another model?")
      }
      let scale = try alpha ?? LoRAMetadata.alpha(in: file) ?? Float(rank)
      adapters.append((layer, LoRA(name: name, down: try file.tensor(a), up: try file.tensor(b), alpha: scale)))
      left.subtract([a, b])
    }
    guard !adapters.isEmpty, left.isEmpty else {
      throw CheckpointMismatch(
        description: "\(file.path): expected tensors unet.*.to_{q,k,v,out.0}.lora_{A,B}.weight of this model's "
          + "attention, found \(left.isEmpty ? "none" : left.sorted().prefix(3).joined(separator: ", "))")
    }
    removeLoRA()
    for (layer, adapter) in adapters { layer.adapter = adapter }
  }

  package func loraWriter() -> SafetensorsWriter {
    var metadata = ["format": "pt"]
    let adapted = attentionProjections.filter { $0.adapter != nil }
    if let adapter = adapted.first?.adapter, adapter.scale != 1 {
      let targets = adapted.count == attentionProjections.count ? Self.loraTargets : adapted.map(\.name)
      metadata[LoRAMetadata.key] = LoRAMetadata.encoded(rank: adapter.rank, scale: adapter.scale, targets: targets)
    }
    var writer = SafetensorsWriter(metadata: metadata)
    for parameter in loraParameters { writer.add(parameter.name, parameter.value) }
    return writer
  }
}

/// The header entry in which diffusers stores the alpha of an adapter.
private enum LoRAMetadata {
  static let key = "lora_adapter_metadata"

  static func encoded(rank: Int, scale: Float, targets: [String]) -> String {
    let alpha = scale * Float(rank), names = targets.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
    return #"{"unet.lora_alpha": \#(alpha), "unet.r": \#(rank), "unet.target_modules": [\#(names)]}"#
  }

  static func alpha(in file: SafetensorsFile) throws -> Float? {
    guard let text = file.metadata[key] else { return nil }
    guard let values = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text.utf8)) else {
      throw CheckpointMismatch(description: "\(file.path): its \(key) is not a JSON object")
    }
    guard case .number(let alpha)? = values["unet.lora_alpha"] else { return nil }
    return Float(alpha)
  }
}
