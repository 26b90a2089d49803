// The optimizer, and SDPO: dual states, dense rewards, advantages and the loss.

import Algorithms
import Diffusion
import Engine
import Foundation
import Settings
import Layers
import Models

@Sendable func adamW(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let parameter = Parameter(name: "param", value: try tensors.tensor("in.param"), isTrainable: true)
  let optimizer = AdamW(
    parameters: [parameter], learningRate: Float(try values.number("lr")), beta1: Float(try values.number("beta1")),
    beta2: Float(try values.number("beta2")), epsilon: Float(try values.number("eps")),
    weightDecay: Float(try values.number("weight_decay")))
  let grads = try tensors.tensor("in.grads")
  var norms: [Float] = [], found: [Tensor] = []
  for index in 0..<grads.shape[0] {
    var gradients = Gradients()
    gradients[parameter] = grads.row(index)
    let (clipped, norm) = gradients.clipped(toNorm: Float(try values.number("max_grad_norm")), over: [parameter])
    optimizer.update(clipped)
    norms.append(norm)
    found.append(parameter.value)
  }
  var agreement = Agreement()
  agreement.compare(
    "grad_norms", norms, try tensors.tensor("out.grad_norms").values, tolerance: Agreement.arithmetic)
  agreement.compare(
    "params", Tensor.stacked(found), try tensors.tensor("out.params"), tolerance: Agreement.arithmetic)
  return agreement
}

/// The sampling process and the network of a case, with its adapter if it has one.
func policy(of golden: GoldenCase) throws -> (process: DDIM, unet: UNet2DCondition, denoiser: Denoiser) {
  let process = try DDIM(
    schedule: schedule(ofModelOf: golden), steps: golden.values.integer("steps"),
    eta: Float(golden.values.number("eta")))
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  if golden.values.values["lora"] != nil { try unet.loadLoRA(SafetensorsFile(golden.file("lora"))) }
  return (process, unet, { unet($0, timesteps: $1, encoderHiddenStates: $2) })
}

func conditioning(of golden: GoldenCase, _ tensors: SafetensorsFile) throws -> Conditioning {
  let empty = "in.negative_hidden_states"
  return Conditioning(
    text: try tensors.tensor("in.encoder_hidden_states"),
    empty: try tensors.shape(of: empty) == nil ? nil : tensors.tensor(empty),
    scale: Float(try golden.values.number("guidance_scale", 1)))
}

@Sendable func sdpoDualState(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), (process, _, denoiser) = try policy(of: golden)
  let sampler = try DualStateSampler(process), conditioning = try conditioning(of: golden, tensors)
  var agreement = Agreement()
  agreement.compare("timesteps", process.timesteps, try tensors.integers("in.timesteps"))
  for which in ["1", "2"] {
    let noises = try tensors.tensor("in.noises" + which)
    let found = sampler.sample(
      initial: try tensors.tensor("in.initial_latents"), conditioning: conditioning, denoiser: denoiser
    ) { noises.row($0) }
    try compareStates(found, which, tensors, &agreement)
    try compareRewards(found, which, tensors, &agreement)
  }
  return agreement
}

private func compareStates(
  _ found: DualStates, _ which: String, _ tensors: SafetensorsFile, _ agreement: inout Agreement
) throws {
  for (name, value) in [
    ("latents", found.states), ("pred_original", found.cleanStates), ("log_probs", found.logProbabilities),
  ] {
    agreement.compare(
      name + which, value, try tensors.tensor("out." + name + which), tolerance: Agreement.trajectory)
  }
}

private func compareRewards(
  _ found: DualStates, _ which: String, _ tensors: SafetensorsFile, _ agreement: inout Agreement
) throws {
  let anchors = try tensors.integers("out.anchor" + which), queried = try tensors.tensor("in.queried" + which)
  let ours = (0..<found.count).map { LatentSimilarity(cleanStates: found.cleanStates.row($0)) }
  // The first and the last step are always equal in the choice of the anchor: s_first + s_last is 1 + cos(first, last)
  // for both, and PyTorch's argmin decides by the last bit. If two steps agree to 1e-6, either may be the anchor.
  for (index, similarity) in ours.enumerated() {
    let sums = zip(similarity.first, similarity.last).map { $0 + $1 }
    agreement.require(
      abs(sums[anchors[index]] - sums[similarity.anchor]) <= 1e-6,
      "anchor\(which)[\(index)]: \(similarity.anchor), expected \(anchors[index])")
  }
  let given = anchors.enumerated().map { LatentSimilarity(cleanStates: found.cleanStates.row($0), anchor: $1) }
  let dense = given.enumerated().map { index, similarity in
    let scores = queried.row(index).values
    return similarity.denseRewards(first: scores[0], anchor: scores[1], last: scores[2])
  }
  for (name, values) in [
    ("sim_first", given.map(\.first)), ("sim_last", given.map(\.last)), ("sim_anchor", given.map(\.toAnchor)),
    ("dense", dense),
  ] {
    agreement.compare(
      name + which, values.flatMap { $0 }, try tensors.tensor("out." + name + which).values,
      tolerance: Agreement.trajectory)
  }
}

@Sendable func sdpoStatesShort(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), (process, _, denoiser) = try policy(of: golden)
  let noises = try tensors.tensor("in.noises")
  let found = try DualStateSampler(process).sample(
    initial: tensors.tensor("in.initial_latents"), conditioning: conditioning(of: golden, tensors), denoiser: denoiser
  ) { noises.row($0) }
  var agreement = Agreement()
  agreement.compare("timesteps", process.timesteps, try tensors.integers("in.timesteps"))
  try compareStates(found, "", tensors, &agreement)
  let queried = try tensors.tensor("in.queried")
  let dense = (0..<found.count).map { index -> [Float] in
    let similarity = LatentSimilarity(cleanStates: found.cleanStates.row(index)), scores = queried.row(index).values
    agreement.require(
      similarity.scoredSteps == Array(scores.indices), "steps scored: \(similarity.scoredSteps), expected all")
    return TrajectoryScoring.dense(similarity)
      .rewards(scores: Dictionary(uniqueKeysWithValues: scores.enumerated().map { ($0, $1) })) ?? []
  }
  agreement.compare(
    "dense", dense.flatMap { $0 }, try tensors.tensor("out.dense").values, tolerance: Agreement.arithmetic)
  return agreement
}

@Sendable func perStepPromptAdvantages(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values, prompts = try values.strings("prompts")
  let discount = Float(try values.number("gamma"))
  var statistics = try PromptStatistics(
    bufferSize: values.integer("buffer_size"), minimumCount: values.integer("min_count"))
  var agreement = Agreement()
  for epoch in 0..<(try values.integer("epochs")) {
    let rewards = try tensors.tensor("in.rewards\(epoch)")
    let returns = (0..<rewards.shape[0]).map { discountedReturns(rewards.row($0).values, discount: discount) }
    let advantages = statistics.advantages(returns: returns, prompts: prompts)
    for (name, found) in [("returns", returns), ("advantages", advantages)] {
      agreement.compare(
        "\(name)\(epoch)", found.flatMap { $0 }, try tensors.tensor("out.\(name)\(epoch)").values,
        tolerance: Agreement.arithmetic)
    }
  }
  return agreement
}

@Sendable func sdpoLoss(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let (process, unet, denoiser) = try policy(of: golden), conditioning = try conditioning(of: golden, tensors)
  var options = MethodSettings()
  options.training.lambda = Float(try values.number("lam"))
  options.training.logScale = Float(try values.number("log_scale"))
  options.training.logRatioClip = Float(try values.number("clip_range"))
  options.training.advantageClip = Float(try values.number("adv_clip_max"))
  let algorithm = try SDPO(options)
  func pair(_ name: String) throws -> [Tensor] {
    try ["1", "2"].map { try tensors.tensor("in." + name + $0) }
  }
  let (latents, old, advantages) = (try pair("latents"), try pair("log_probs"), try pair("advantages"))
  var agreement = Agreement()
  agreement.compare("timesteps", process.timesteps, try tensors.integers("in.timesteps"))
  for (step, timestep) in process.timesteps.enumerated() {
    let timesteps = [Int](repeating: timestep, count: latents[0].shape[0])
    let result = Tape.gradients { _ in
      let logProbabilities = latents.map { states in
        process.logProbability(
          of: states.column(step + 1),
          output: conditioning.output(of: denoiser, sample: states.column(step), timesteps: timesteps),
          sample: states.column(step), timesteps: timesteps)
      }
      let (loss, metrics) = algorithm.loss(
        PolicyTerms(
          logProbabilities: Tensor.stacked(logProbabilities), behaviour: Tensor.stacked(old.map { $0.column(step) }),
          advantages: Tensor.stacked(advantages.map { $0.column(step) }),
          steps: [Int](repeating: step, count: timesteps.count)))
      return (loss, (metrics, logProbabilities.map(\.detached)))
    }
    let (metrics, logProbabilities) = result.extra
    agreement.compare(
      "loss\(step)", result.loss, try tensors.tensor("out.loss\(step)"), tolerance: Agreement.network)
    agreement.compare(
      "clip_fraction\(step)", [metrics.clipFraction], try tensors.tensor("out.clip_fraction\(step)").values,
      tolerance: Agreement.arithmetic)
    for which in [0, 1] {
      agreement.compare(
        "log_prob\(which + 1)_\(step)", logProbabilities[which],
        try tensors.tensor("out.log_prob\(which + 1)_\(step)"), tolerance: Agreement.network)
    }
    try compareGradients(of: unet.loraParameters, result.parameters, with: "out.grad\(step).", in: tensors, &agreement)
  }
  return agreement
}
