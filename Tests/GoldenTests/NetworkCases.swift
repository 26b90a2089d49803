// Networks: values, and gradients as vector-Jacobian products.

import Engine
import Foundation
import Imaging
import Layers
import Models
import Rewards

func clipText(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let encoder = try CLIPText(folder: golden.model("text_encoder"))
  let shape = try golden.shape(of: "in.input_ids"), ids = try golden.integers("input_ids")
  let rows = (0..<shape[0]).map { Array(ids[$0 * shape[1]..<($0 + 1) * shape[1]]) }
  try agreement.compare("out.last_hidden_state", encoder(rows), within: Agreement.network)
}

func unet(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  let (value, gradients) = try denoise(golden, unet)
  try agreement.compare("out.sample", value, within: Agreement.network)
  try agreement.compare("out.grad_sample", gradients.ofSample, within: Agreement.gradient)
}

func unetLoRA(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  try unet.loadLoRA(SafetensorsFile(golden.file("lora")), alpha: golden.number("alpha"))
  let (value, gradients) = try denoise(golden, unet)
  try agreement.compare("out.sample", value, within: Agreement.network)
  try agreement.compareGradients(of: unet.loraParameters, gradients.ofParameters, with: "out.grad.")
}

/// The output of the UNet, and the gradients of sum(cotangent * output).
private func denoise(
  _ golden: GoldenCase, _ unet: UNet2DCondition
) throws -> (value: Tensor, gradients: (ofSample: Tensor, ofParameters: Gradients)) {
  let timesteps = try golden.integers("timesteps"), text = try golden.input("encoder_hidden_states")
  let cotangent = try golden.input("cotangent")
  let result = Tape.gradients(of: [try golden.input("sample")]) { inputs in
    let value = unet(inputs[0], timesteps: timesteps, encoderHiddenStates: text)
    return ((value * cotangent).sum(), value.detached)
  }
  return (result.extra, (result.inputs[0], result.parameters))
}

func vae(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let vae = try AutoencoderKL(folder: golden.model("vae"))
  let cotangent = try golden.input("cotangent")
  let scale = try golden.number("scaling_factor", Double(vae.scalingFactor))
  let decoded = Tape.gradients(of: [try golden.input("latents")]) { inputs in
    let image = vae.decode(inputs[0] / scale)
    return ((image * cotangent).sum(), image.detached)
  }
  let encoded = vae.encode(try golden.input("pixels"))
  try agreement.compare("out.image", decoded.extra, within: Agreement.network)
  try agreement.compare("out.grad_latents", decoded.inputs[0], within: Agreement.gradient)
  try agreement.compare("out.mean", encoded.mean, within: Agreement.network)
  try agreement.compare("out.logvar", encoded.logVariance, within: Agreement.network)
}

func vaeTiny(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let vae = try AutoencoderTiny(folder: golden.model("vae"))
  let cotangent = try golden.input("cotangent")
  let decoded = Tape.gradients(of: [try golden.input("latents")]) { inputs in
    let image = vae.decode(inputs[0])
    return ((image * cotangent).sum(), image.detached)
  }
  try agreement.compare("out.image", decoded.extra, within: Agreement.network)
  try agreement.compare("out.grad_latents", decoded.inputs[0], within: Agreement.gradient)
  try agreement.compare("out.encoded", vae.encode(try golden.input("pixels")), within: Agreement.network)
}

func aestheticScore(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let vision = try CLIPVision(folder: golden.file("model")), head = try AestheticHead(file: golden.file("head"))
  let result = Tape.gradients(of: [try golden.input("pixel_values")]) { inputs in
    let embedding = vision(inputs[0]), score = head(embedding)
    return (score.sum(), (embedding: embedding.unitLength.detached, score: score.detached))
  }
  try agreement.compare("out.embedding", result.extra.embedding, within: Agreement.network)
  try agreement.compare("out.score", result.extra.score, within: Agreement.network)
  try agreement.compare("out.grad_pixel_values", result.inputs[0], within: Agreement.gradient)
}
