// Low-rank adapters on the UNet's attention projections, in the files that diffusers reads and writes
// (pytorch_lora_weights.safetensors): `unet.<layer>.lora_A.weight` [rank, in] and `.lora_B.weight` [out, rank], or
// `.lora.down.weight` and `.lora.up.weight`, as its training scripts have it.

public import Engine
public import Foundation
public import Layers

extension UNet2DCondition {
  /// Adds a new adapter to to_q, to_k, to_v and to_out.0 of every attention: A ~ N(0, 1/rank²), B = 0, so that the
  /// model's output does not change until training moves B.
  public func addLoRA(rank: Int, alpha: Float, random: RandomStream) {
    for layer in attentionProjections {
      var stream = random.fork(layer.name)
      layer.adapter = LoRA(
        name: "unet." + layer.name, down: stream.normal([rank, layer.inputs]) / Float(rank),
        up: Tensor.zeros([layer.outputs, rank]), alpha: alpha)
    }
  }

  /// Removes the adapter.
  public func removeLoRA() {
    for layer in attentionProjections { layer.adapter = nil }
  }

  /// The adapter's weights, A before B, in the order of the layers; empty without an adapter.
  public var loraParameters: [Parameter] {
    attentionProjections.compactMap(\.adapter).flatMap { [$0.down, $0.up] }
  }

  /// Binds an adapter read from a file, in place of any there was.
  ///
  /// - Parameter alpha: where the file does not say it, as diffusers' do not when it equals the rank.
  /// - Throws: `CheckpointMismatch` when a layer has only half an adapter, a shape does not fit, or a tensor belongs to
  ///   no attention projection of this model. The model is unchanged then.
  public func loadLoRA(_ file: SafetensorsFile, alpha: Float? = nil) throws {
    var adapters: [(layer: Linear, adapter: LoRA)] = []
    var left = Set(file.names)
    // diffusers writes the first spelling for adapters saved as they are, the second in its training scripts.
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
          throw CheckpointMismatch(description: "\(file.path): \(name) has only one of lora_A and lora_B (or down and up)")
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
        description: "\(file.path): expected weights unet.*.to_{q,k,v,out.0}.lora_{A,B}.weight of this model's "
          + "attention, found \(left.isEmpty ? "none" : left.sorted().prefix(3).joined(separator: ", "))")
    }
    removeLoRA()
    for (layer, adapter) in adapters { layer.adapter = adapter }
  }

  /// The adapter as diffusers' file.
  public func loraWriter() -> SafetensorsWriter {
    var metadata = ["format": "pt"]
    if let adapter = attentionProjections.compactMap(\.adapter).first, adapter.scale != 1 {
      metadata[LoRAMetadata.key] = LoRAMetadata.encoded(rank: adapter.rank, scale: adapter.scale)
    }
    var writer = SafetensorsWriter(metadata: metadata)
    for parameter in loraParameters { writer.add(parameter.name, parameter.value) }
    return writer
  }

  /// Writes the adapter as diffusers' `pytorch_lora_weights.safetensors`.
  public func saveLoRA(_ file: URL) throws { try loraWriter().write(to: file) }
}

/// The header entry in which diffusers keeps an adapter's alpha.
private enum LoRAMetadata {
  static let key = "lora_adapter_metadata"

  static func encoded(rank: Int, scale: Float) -> String {
    let alpha = scale * Float(rank)
    return #"{"unet.lora_alpha": \#(alpha), "unet.r": \#(rank), "#
      + #""unet.target_modules": ["to_k", "to_out.0", "to_q", "to_v"]}"#
  }

  static func alpha(in file: SafetensorsFile) throws -> Float? {
    guard let text = file.metadata[key] else { return nil }
    guard let values = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text.utf8)) else {
      throw CheckpointMismatch(description: "\(file.path): its \(key) is no JSON object")
    }
    guard case .number(let alpha)? = values["unet.lora_alpha"] else { return nil }
    return Float(alpha)
  }
}
