// Networks: values, and gradients as vector-Jacobian products.

import Engine
import Foundation
import Imaging
import Layers
import Models
import Rewards

@Sendable func clipText(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let encoder = try CLIPText(folder: golden.model("text_encoder"))
  let shape = try shape(of: "in.input_ids", in: tensors), ids = try tensors.integers("in.input_ids")
  let rows = (0..<shape[0]).map { Array(ids[$0 * shape[1]..<($0 + 1) * shape[1]]) }
  var agreement = Agreement()
  agreement.compare(
    "last_hidden_state", encoder(rows), try tensors.tensor("out.last_hidden_state"), tolerance: Agreement.network)
  return agreement
}

@Sendable func unet(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  let (value, gradients) = try denoise(tensors, unet)
  var agreement = Agreement()
  agreement.compare("sample", value, try tensors.tensor("out.sample"), tolerance: Agreement.network)
  agreement.compare(
    "grad_sample", gradients.ofSample, try tensors.tensor("out.grad_sample"), tolerance: Agreement.gradient)
  return agreement
}

@Sendable func unetLoRA(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  try unet.loadLoRA(SafetensorsFile(golden.file("lora")), alpha: Float(golden.values.number("alpha")))
  let (value, gradients) = try denoise(tensors, unet)
  var agreement = Agreement()
  agreement.compare("sample", value, try tensors.tensor("out.sample"), tolerance: Agreement.network)
  try compareGradients(of: unet.loraParameters, gradients.ofParameters, with: "out.grad.", in: tensors, &agreement)
  return agreement
}

/// The output of the UNet, and the gradients of sum(cotangent * output).
private func denoise(
  _ tensors: SafetensorsFile, _ unet: UNet2DCondition
) throws -> (value: Tensor, gradients: (ofSample: Tensor, ofParameters: Gradients)) {
  let timesteps = try tensors.integers("in.timesteps"), text = try tensors.tensor("in.encoder_hidden_states")
  let cotangent = try tensors.tensor("in.cotangent")
  let result = Tape.gradients(of: [try tensors.tensor("in.sample")]) { inputs in
    let value = unet(inputs[0], timesteps: timesteps, encoderHiddenStates: text)
    return ((value * cotangent).sum(), value.detached)
  }
  return (result.extra, (result.inputs[0], result.parameters))
}

/// Compares the gradients of all parameters, and requires that the case has gradients for exactly these.
func compareGradients(
  of parameters: [Parameter], _ gradients: Gradients, with prefix: String, in tensors: SafetensorsFile,
  _ agreement: inout Agreement
) throws {
  let expected = Set(tensors.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
  agreement.require(
    expected == Set(parameters.map(\.name)), "\(prefix): the case's parameters are not those of the adapter")
  for parameter in parameters where expected.contains(parameter.name) {
    agreement.compare(
      prefix + parameter.name, gradients[parameter] ?? Tensor.zeros(parameter.value.shape),
      try tensors.tensor(prefix + parameter.name), tolerance: Agreement.gradient)
  }
}

@Sendable func vae(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let vae = try AutoencoderKL(folder: golden.model("vae"))
  let cotangent = try tensors.tensor("in.cotangent")
  let scale = Float(try golden.values.number("scaling_factor", Double(vae.scalingFactor)))
  let decoded = Tape.gradients(of: [try tensors.tensor("in.latents")]) { inputs in
    let image = vae.decode(inputs[0] / scale)
    return ((image * cotangent).sum(), image.detached)
  }
  let encoded = vae.encode(try tensors.tensor("in.pixels"))
  var agreement = Agreement()
  agreement.compare("image", decoded.extra, try tensors.tensor("out.image"), tolerance: Agreement.network)
  agreement.compare(
    "grad_latents", decoded.inputs[0], try tensors.tensor("out.grad_latents"), tolerance: Agreement.gradient)
  agreement.compare("mean", encoded.mean, try tensors.tensor("out.mean"), tolerance: Agreement.network)
  agreement.compare("logvar", encoded.logVariance, try tensors.tensor("out.logvar"), tolerance: Agreement.network)
  return agreement
}

@Sendable func vaeTiny(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let vae = try AutoencoderTiny(folder: golden.model("vae"))
  let cotangent = try tensors.tensor("in.cotangent")
  let decoded = Tape.gradients(of: [try tensors.tensor("in.latents")]) { inputs in
    let image = vae.decode(inputs[0])
    return ((image * cotangent).sum(), image.detached)
  }
  var agreement = Agreement()
  agreement.compare("image", decoded.extra, try tensors.tensor("out.image"), tolerance: Agreement.network)
  agreement.compare(
    "grad_latents", decoded.inputs[0], try tensors.tensor("out.grad_latents"), tolerance: Agreement.gradient)
  agreement.compare(
    "encoded", vae.encode(try tensors.tensor("in.pixels")), try tensors.tensor("out.encoded"),
    tolerance: Agreement.network)
  return agreement
}

@Sendable func aestheticScore(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let vision = try CLIPVision(folder: golden.file("model")), head = try AestheticHead(file: golden.file("head"))
  let result = Tape.gradients(of: [try tensors.tensor("in.pixel_values")]) { inputs in
    let embedding = vision(inputs[0]), score = head(embedding)
    return (score.sum(), (embedding: embedding.unitLength.detached, score: score.detached))
  }
  var agreement = Agreement()
  agreement.compare(
    "embedding", result.extra.embedding, try tensors.tensor("out.embedding"), tolerance: Agreement.network)
  agreement.compare("score", result.extra.score, try tensors.tensor("out.score"), tolerance: Agreement.network)
  agreement.compare(
    "grad_pixel_values", result.inputs[0], try tensors.tensor("out.grad_pixel_values"), tolerance: Agreement.gradient)
  return agreement
}

func shape(of name: String, in tensors: SafetensorsFile) throws -> [Int] {
  guard let shape = tensors.shape(of: name) else { throw GoldenProblem("\(tensors.path): no tensor \(name)") }
  return shape
}
