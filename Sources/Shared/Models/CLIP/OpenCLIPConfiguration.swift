// open_clip's description of a CLIP model, translated to transformers' keys. An unsupported setting that would change
// the numbers is refused by name.

internal import Foundation

struct OpenCLIPConfiguration {
  static let fileName = "open_clip_config.json"

  let text: CLIPTextConfiguration
  let vision: CLIPVisionConfiguration

  /// - Throws: `ModelConfigurationError` naming the file and the value that is missing or not supported.
  init(folder: URL) throws {
    let file = try ModelConfiguration(file: folder.appending(path: Self.fileName))
    let model = try file.object("model_cfg")
    try model.refuseUnknown(besides: ["embed_dim", "vision_cfg", "text_cfg", "quick_gelu"])
    let activation: JSONValue = .string(try model.flag("quick_gelu", false) ? "quick_gelu" : "gelu")
    let embedding: JSONValue = .number(Double(try model.integer("embed_dim")))

    let vision = try model.object("vision_cfg")
    try vision.refuseUnknown(besides: ["image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio"])
    let headWidth = try vision.integer("head_width", 64)
    guard headWidth > 0 else { throw vision.wrong("head_width", expected: "a positive number") }
    var values = try Self.tower(vision, heads: vision.integer("width") / headWidth, activation)
    values["image_size"] = .number(Double(try vision.integer("image_size", 224)))
    values["patch_size"] = .number(Double(try vision.integer("patch_size")))
    values["projection_dim"] = embedding
    self.vision = try CLIPVisionConfiguration(ModelConfiguration(path: vision.path, values: values))

    let text = try model.object("text_cfg")
    try text.refuseUnknown(besides: ["context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"])
    values = try Self.tower(text, heads: text.integer("heads"), activation)
    values["vocab_size"] = .number(Double(try text.integer("vocab_size", 49408)))
    values["max_position_embeddings"] = .number(Double(try text.integer("context_length", 77)))
    values["projection_dim"] = embedding
    // open_clip takes a text's embedding from its largest id; transformers does so if this value is 2.
    values["eos_token_id"] = .number(2)
    self.text = try CLIPTextConfiguration(ModelConfiguration(path: text.path, values: values))
  }

  private static func tower(
    _ c: ModelConfiguration, heads: Int, _ activation: JSONValue
  ) throws -> [String: JSONValue] {
    let width = try c.integer("width")
    return [
      "hidden_size": .number(Double(width)),
      "intermediate_size": .number((Double(width) * (try c.number("mlp_ratio", 4))).rounded(.down)),
      "num_hidden_layers": .number(Double(try c.integer("layers"))),
      "num_attention_heads": .number(Double(heads)), "hidden_act": activation,
    ]
  }
}

extension ModelConfiguration {
  fileprivate func object(_ key: String) throws -> ModelConfiguration {
    guard case .object(let values)? = values[key] else { throw wrong(key, expected: "an object") }
    return ModelConfiguration(path: path + " " + key, values: values)
  }
}
