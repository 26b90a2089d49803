// The values of UNet2DConditionModel's config.json that change the numbers.

package struct UNetConfiguration: Sendable {
  package let inChannels, outChannels, sampleSize: Int
  package let blockOutChannels: [Int]
  package let downBlockTypes, upBlockTypes: [String]
  package let layersPerBlock: [Int]
  package let transformerLayers: [Int]
  /// Heads per block. diffusers calls this attention_head_dim and reads it as the number of heads.
  package let heads: [Int]
  package let crossAttentionWidth: Int
  package let useLinearProjection: Bool
  package let normGroups: Int
  package let normEpsilon: Float
  package let flipSinToCos: Bool
  package let frequencyShift: Float
  package let convInKernel, convOutKernel: Int

  /// - Throws: `ModelConfigurationError` naming the first value that is missing or not supported.
  package init(_ c: ModelConfiguration) throws {
    try c.require("_class_name", oneOf: .string("UNet2DConditionModel"))
    try c.require("act_fn", oneOf: .string("silu"), .string("swish"))
    try c.require("mid_block_type", oneOf: .string("UNetMidBlock2DCrossAttn"))
    try c.require("resnet_time_scale_shift", oneOf: .string("default"))
    try c.require("time_embedding_type", oneOf: .string("positional"))
    try c.require("attention_type", oneOf: .string("default"))
    try c.require("downsample_padding", oneOf: .number(1))
    for key in ["mid_block_scale_factor", "resnet_out_scale_factor"] { try c.require(key, oneOf: .number(1)) }
    try c.require("dropout", oneOf: .number(0))
    for key in [
      "center_input_sample", "only_cross_attention", "dual_cross_attention", "class_embeddings_concat",
      "resnet_skip_time_act", "mid_block_only_cross_attention",
    ] { try c.require(key, oneOf: .bool(false)) }
    for key in [
      "class_embed_type", "num_class_embeds", "addition_embed_type", "addition_time_embed_dim", "encoder_hid_dim",
      "encoder_hid_dim_type", "time_cond_proj_dim", "time_embedding_dim", "time_embedding_act_fn", "timestep_post_act",
      "cross_attention_norm", "projection_class_embeddings_input_dim", "reverse_transformer_layers_per_block",
    ] { try c.require(key, oneOf: .null) }
    try c.refuseUnknown(besides: Self.known)

    inChannels = try c.integer("in_channels", 4)
    outChannels = try c.integer("out_channels", 4)
    blockOutChannels = try c.integers("block_out_channels")
    let blocks = blockOutChannels.count
    downBlockTypes = try c.strings("down_block_types")
    upBlockTypes = try c.strings("up_block_types")
    for (key, types, supported) in [
      ("down_block_types", downBlockTypes, ["CrossAttnDownBlock2D", "DownBlock2D"]),
      ("up_block_types", upBlockTypes, ["CrossAttnUpBlock2D", "UpBlock2D"]),
    ] {
      guard types.count == blocks, types.allSatisfy(supported.contains) else {
        throw c.wrong(key, expected: "\(blocks) of \(supported.joined(separator: ", "))")
      }
    }
    layersPerBlock = try c.integers("layers_per_block", count: blocks, 2)
    transformerLayers = try c.integers("transformer_layers_per_block", count: blocks, 1)
    let key = c.values["num_attention_heads"].map { $0 != .null } == true ? "num_attention_heads" : "attention_head_dim"
    heads = try c.integers(key, count: blocks, 8)
    for (channels, count) in zip(blockOutChannels, heads) where count < 1 || channels % count != 0 {
      throw c.wrong(key, expected: "numbers of heads that divide block_out_channels \(blockOutChannels)")
    }
    crossAttentionWidth = try c.integer("cross_attention_dim", 1280)
    useLinearProjection = try c.flag("use_linear_projection", false)
    normGroups = try c.integer("norm_num_groups", 32)
    for channels in blockOutChannels where normGroups < 1 || channels % normGroups != 0 {
      throw c.wrong("norm_num_groups", expected: "a divisor of block_out_channels \(blockOutChannels)")
    }
    normEpsilon = Float(try c.number("norm_eps", 1e-5))
    flipSinToCos = try c.flag("flip_sin_to_cos", true)
    frequencyShift = Float(try c.number("freq_shift", 0))
    convInKernel = try c.integer("conv_in_kernel", 3)
    convOutKernel = try c.integer("conv_out_kernel", 3)
    sampleSize = try c.integer("sample_size", 64)
  }

  private static let known: Set<String> = [
    "act_fn", "mid_block_type", "resnet_time_scale_shift", "time_embedding_type", "attention_type",
    "downsample_padding", "mid_block_scale_factor", "resnet_out_scale_factor", "dropout", "center_input_sample",
    "only_cross_attention", "dual_cross_attention", "class_embeddings_concat", "resnet_skip_time_act",
    "mid_block_only_cross_attention", "class_embed_type", "num_class_embeds", "addition_embed_type",
    "addition_time_embed_dim", "encoder_hid_dim", "encoder_hid_dim_type", "time_cond_proj_dim", "time_embedding_dim",
    "time_embedding_act_fn", "timestep_post_act", "cross_attention_norm", "projection_class_embeddings_input_dim",
    "reverse_transformer_layers_per_block", "in_channels", "out_channels", "block_out_channels", "down_block_types",
    "up_block_types", "layers_per_block", "transformer_layers_per_block", "num_attention_heads", "attention_head_dim",
    "cross_attention_dim", "use_linear_projection", "norm_num_groups", "norm_eps", "flip_sin_to_cos", "freq_shift",
    "conv_in_kernel", "conv_out_kernel", "sample_size",
    // The precision of attention, which is always float32 here.
    "upcast_attention",
    // Belongs to an embedding that is refused above.
    "addition_embed_type_num_heads",
  ]
}
