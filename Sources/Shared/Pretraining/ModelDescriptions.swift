// The configurations of the models that pretraining makes, as values of their config.json files.

import Diffusion
import Foundation
package import Models

/// The architectures of a new text-to-image model and its CLIP.
package struct ModelDescription: Sendable {
  /// Side of the pictures, in pixels.
  package var side = 64
  /// Length of a prompt in tokens, including begin and end token.
  package var tokens = 16
  package var vocabularySize: Int

  package init(vocabularySize: Int) { self.vocabularySize = vocabularySize }

  static let vaeChannels = [24, 48, 64]
  static let unetChannels = [64, 128]
  static let textWidth = 128
  static let latentChannels = 4

  var latentSide: Int { side >> (Self.vaeChannels.count - 1) }

  var vae: [String: JSONValue] {
    let blocks = Self.vaeChannels.count
    return [
      "_class_name": "AutoencoderKL", "_diffusers_version": "0.30.0", "act_fn": "silu", "in_channels": 3,
      "out_channels": 3, "latent_channels": .number(Double(Self.latentChannels)), "layers_per_block": 1,
      "norm_num_groups": 8, "sample_size": .number(Double(side)), "block_out_channels": .list(Self.vaeChannels),
      "down_block_types": .array(Array(repeating: "DownEncoderBlock2D", count: blocks)),
      "up_block_types": .array(Array(repeating: "UpDecoderBlock2D", count: blocks)),
      "mid_block_add_attention": false, "scaling_factor": 1, "force_upcast": false,
    ]
  }

  var unet: [String: JSONValue] {
    let blocks = Self.unetChannels.count
    return [
      "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.30.0", "act_fn": "silu", "in_channels": 4,
      "out_channels": 4, "sample_size": .number(Double(latentSide)), "block_out_channels": .list(Self.unetChannels),
      "down_block_types": .array(Array(repeating: "CrossAttnDownBlock2D", count: blocks)),
      "up_block_types": .array(Array(repeating: "CrossAttnUpBlock2D", count: blocks)), "layers_per_block": 1,
      "attention_head_dim": .list([2, 4]), "cross_attention_dim": .number(Double(Self.textWidth)),
      "use_linear_projection": true, "norm_num_groups": 16,
    ]
  }

  func text(endToken: Int, startToken: Int, projection: Int = 64) -> [String: JSONValue] {
    [
      "architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "hidden_act": "quick_gelu",
      "hidden_size": .number(Double(Self.textWidth)), "intermediate_size": 256, "num_hidden_layers": 2,
      "num_attention_heads": 4, "max_position_embeddings": .number(Double(tokens)),
      "vocab_size": .number(Double(vocabularySize)), "projection_dim": .number(Double(projection)),
      "layer_norm_eps": 1e-5, "attention_dropout": 0, "bos_token_id": .number(Double(startToken)),
      "eos_token_id": .number(Double(endToken)), "pad_token_id": .number(Double(endToken)),
    ]
  }

  var vision: [String: JSONValue] {
    [
      "model_type": "clip_vision_model", "hidden_act": "quick_gelu", "hidden_size": 128, "intermediate_size": 512,
      "num_hidden_layers": 4, "num_attention_heads": 4, "num_channels": 3, "image_size": .number(Double(side)),
      "patch_size": 8, "projection_dim": 64, "layer_norm_eps": 1e-5, "attention_dropout": 0,
    ]
  }

  func clip(endToken: Int, startToken: Int) -> [String: JSONValue] {
    [
      "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 64, "logit_scale_init_value": 2.6592,
      "text_config": .object(text(endToken: endToken, startToken: startToken)), "vision_config": .object(vision),
    ]
  }

  static let scheduler: [String: JSONValue] = [
    "_class_name": "DDIMScheduler", "_diffusers_version": "0.30.0", "num_train_timesteps": 1000,
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": "v_prediction",
    "timestep_spacing": "trailing", "steps_offset": 1, "clip_sample": false, "set_alpha_to_one": false,
    "rescale_betas_zero_snr": false, "thresholding": false,
  ]

  static let modelIndex: [String: JSONValue] = [
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0",
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"], "safety_checker": [.null, .null],
    "feature_extractor": [.null, .null], "requires_safety_checker": false,
  ]

  /// The noise schedule that `scheduler` describes.
  static func schedule() throws -> NoiseSchedule {
    var configuration = NoiseSchedule.Configuration()
    configuration.prediction = .velocity
    configuration.spacing = .trailing
    return try NoiseSchedule(configuration)
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByArrayLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int) { self = .number(Double(value)) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

  static func list(_ values: [Int]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
}
