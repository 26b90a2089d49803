// transformers' CLIPModel: both towers in one folder, and the similarity of images and texts.

package import Engine
package import Foundation
package import Layers

/// An image tower and a text tower with a common embedding space (Radford et al., arXiv 2103.00020).
package final class CLIP {
  package let text: CLIPText
  package let vision: CLIPVision
  /// Logarithm of the inverse temperature, a scalar.
  package let logitScale: Parameter
  package let parameters: [Parameter]

  package init(configuration: ModelConfiguration, from source: ParameterSource) throws {
    let root = source.root
    let text = try CLIPTextConfiguration(configuration.part("text_config", projection: true))
    let vision = try CLIPVisionConfiguration(configuration.part("vision_config", projection: true))
    self.text = try CLIPText(text, at: root["text_model"], projection: root["text_projection"])
    self.vision = try CLIPVision(vision, at: root)
    logitScale = try root.parameter("logit_scale", [], .zeros)
    try source.finish(ignoring: ["position_ids"])
    parameters = source.parameters
  }

  /// Builds a model with open_clip's layout: the image tower at `visual`, the text tower at the root.
  init(openCLIP c: OpenCLIPConfiguration, from source: ParameterSource) throws {
    text = try CLIPText(c.text, openCLIP: source.root)
    vision = try CLIPVision(c.vision, openCLIP: source.root["visual"])
    logitScale = try source.root.parameter("logit_scale", [], .zeros)
    try source.finish(ignoring: ["attn_mask"])
    parameters = source.parameters
  }

  /// Loads a transformers CLIPModel folder (`config.json` with `text_config` and `vision_config`, `model.safetensors`),
  /// or, if there is no model.safetensors, an open_clip folder (`open_clip_config.json`,
  /// `open_clip_model.safetensors`).
  package convenience init(folder: URL) throws {
    let own = ["model.safetensors", "model.safetensors.index.json"].map { folder.appending(path: $0).path }
    if !own.contains(where: FileManager.default.fileExists(atPath:)),
      FileManager.default.fileExists(atPath: folder.appending(path: OpenCLIPConfiguration.fileName).path)
    {
      try self.init(
        openCLIP: OpenCLIPConfiguration(folder: folder),
        from: ParameterSource(checkpoint: SafetensorsFile(folder: folder, named: "open_clip_model")))
      return
    }
    let whole = try ModelConfiguration(file: folder.appending(path: "config.json"))
    let weights = try SafetensorsFile(folder: folder, named: "model")
    try self.init(configuration: whole, from: ParameterSource(checkpoint: weights))
  }
}

extension Tensor {
  /// The rows of the last axis divided by their lengths, `[..., D]`.
  package var unitLength: Tensor { self / squared().sum(axes: [rank - 1], keepAxes: true).sqrt() }
}

extension ModelConfiguration {
  /// A nested configuration. As in transformers' CLIPConfig, the outer `projection_dim` takes precedence if
  /// `projection` is set.
  func part(_ key: String, projection: Bool) throws -> ModelConfiguration {
    guard case .object(var values)? = values[key] else { throw wrong(key, expected: "an object") }
    if projection, let width = self.values["projection_dim"], width != .null { values["projection_dim"] = width }
    return ModelConfiguration(path: path + " " + key, values: values)
  }
}
