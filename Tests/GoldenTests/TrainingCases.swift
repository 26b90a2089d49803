// The optimizer, and SDPO: dual states, dense rewards, advantages and the loss.

import Algorithms
import Diffusion
import Engine
import Foundation
import Layers
import Models
import Settings

func adamW(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let parameter = Parameter(name: "param", value: try golden.input("param"), isTrainable: true)
  let optimizer = AdamW(
    parameters: [parameter], learningRate: try golden.number("lr"), beta1: try golden.number("beta1"),
    beta2: try golden.number("beta2"), epsilon: try golden.number("eps"),
    weightDecay: try golden.number("weight_decay"))
  let grads = try golden.input("grads")
  var norms: [Float] = [], found: [Tensor] = []
  for index in 0..<grads.shape[0] {
    var gradients = Gradients()
    gradients[parameter] = grads.row(index)
    let (clipped, norm) = gradients.clipped(toNorm: try golden.number("max_grad_norm"), over: [parameter])
    optimizer.update(clipped)
    norms.append(norm)
    found.append(parameter.value)
  }
  try agreement.compare("out.grad_norms", norms, within: Agreement.arithmetic)
  try agreement.compare("out.params", Tensor.stacked(found), within: Agreement.arithmetic)
}

/// The sampling process and the network of a case, with its adapter if it has one.
func policy(of golden: GoldenCase) throws -> (process: DDIM, unet: UNet2DCondition, denoiser: Denoiser) {
  let process = try DDIM(
    schedule: schedule(ofModelOf: golden), steps: golden.values.integer("steps"), eta: golden.number("eta"))
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  if golden.values.values["lora"] != nil { try unet.loadLoRA(SafetensorsFile(golden.file("lora"))) }
  return (process, unet, { unet($0, timesteps: $1, encoderHiddenStates: $2) })
}

func conditioning(of golden: GoldenCase) throws -> Conditioning {
  let empty = "in.negative_hidden_states"
  return Conditioning(
    text: try golden.input("encoder_hidden_states"),
    empty: try golden.tensors.shape(of: empty) == nil ? nil : golden.tensors.tensor(empty),
    scale: try golden.number("guidance_scale", 1))
}

func sdpoDualState(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let (process, _, denoiser) = try policy(of: golden)
  let sampler = try DualStateSampler(process), conditioning = try conditioning(of: golden)
  try agreement.compare("in.timesteps", process.timesteps)
  for which in ["1", "2"] {
    let noises = try golden.input("noises" + which)
    let found = sampler.sample(
      initial: try golden.input("initial_latents"), conditioning: conditioning, denoiser: denoiser
    ) { noises.row($0) }
    try compareStates(found, which, &agreement)
    try compareRewards(found, which, &agreement)
  }
}

private func compareStates(_ found: DualStates, _ which: String, _ agreement: inout Agreement) throws {
  for (name, value) in [
    ("latents", found.states), ("pred_original", found.cleanStates), ("log_probs", found.logProbabilities),
  ] {
    try agreement.compare("out." + name + which, value, within: Agreement.trajectory)
  }
}

private func compareRewards(_ found: DualStates, _ which: String, _ agreement: inout Agreement) throws {
  let anchors = try agreement.tensors.integers("out.anchor" + which)
  let queried = try agreement.tensors.tensor("in.queried" + which)
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
    try agreement.compare("out." + name + which, values.flatMap { $0 }, within: Agreement.trajectory)
  }
}

func sdpoStatesShort(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let (process, _, denoiser) = try policy(of: golden)
  let noises = try golden.input("noises")
  let found = try DualStateSampler(process).sample(
    initial: golden.input("initial_latents"), conditioning: conditioning(of: golden), denoiser: denoiser
  ) { noises.row($0) }
  try agreement.compare("in.timesteps", process.timesteps)
  try compareStates(found, "", &agreement)
  let queried = try golden.input("queried")
  let dense = (0..<found.count).map { index -> [Float] in
    let similarity = LatentSimilarity(cleanStates: found.cleanStates.row(index)), scores = queried.row(index).values
    agreement.require(
      similarity.scoredSteps == Array(scores.indices), "steps scored: \(similarity.scoredSteps), expected all")
    return TrajectoryScoring.dense(similarity)
      .rewards(scores: Dictionary(uniqueKeysWithValues: scores.enumerated().map { ($0, $1) })) ?? []
  }
  try agreement.compare("out.dense", dense.flatMap { $0 }, within: Agreement.arithmetic)
}

func perStepPromptAdvantages(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let values = golden.values, prompts = try values.strings("prompts")
  let discount = try golden.number("gamma")
  var statistics = try PromptStatistics(
    bufferSize: values.integer("buffer_size"), minimumCount: values.integer("min_count"))
  for epoch in 0..<(try values.integer("epochs")) {
    let rewards = try golden.input("rewards\(epoch)")
    let returns = (0..<rewards.shape[0]).map { discountedReturns(rewards.row($0).values, discount: discount) }
    let advantages = statistics.advantages(returns: returns, prompts: prompts)
    for (name, found) in [("returns", returns), ("advantages", advantages)] {
      try agreement.compare("out.\(name)\(epoch)", found.flatMap { $0 }, within: Agreement.arithmetic)
    }
  }
}

func sdpoLoss(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let (process, unet, denoiser) = try policy(of: golden), conditioning = try conditioning(of: golden)
  var options = MethodSettings()
  options.training.lambda = try golden.number("lam")
  options.training.logScale = try golden.number("log_scale")
  options.training.logRatioClip = try golden.number("clip_range")
  options.training.advantageClip = try golden.number("adv_clip_max")
  let algorithm = try SDPO(options)
  func pair(_ name: String) throws -> [Tensor] { try ["1", "2"].map { try golden.input(name + $0) } }
  let (latents, old, advantages) = (try pair("latents"), try pair("log_probs"), try pair("advantages"))
  try agreement.compare("in.timesteps", process.timesteps)
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
    try agreement.compare("out.loss\(step)", result.loss, within: Agreement.network)
    try agreement.compare("out.clip_fraction\(step)", [metrics.clipFraction], within: Agreement.arithmetic)
    for which in [0, 1] {
      try agreement.compare("out.log_prob\(which + 1)_\(step)", logProbabilities[which], within: Agreement.network)
    }
    try agreement.compareGradients(of: unet.loraParameters, result.parameters, with: "out.grad\(step).")
  }
}
