// The methods other than SDPO: losses, selection, priorities, bonuses, and a whole update of SQDF.

import Algorithms
import Diffusion
import Engine
import Foundation
import Layers
import Models
import Settings

/// The losses of DDPO and B2-DiffuRL, which differ only in the clip.
func ppoClipLoss(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  var options = MethodSettings()
  options.training.logRatioClip = try golden.number("clip_range")
  options.training.advantageClip = try golden.number("adv_clip_max")
  options.sampling.steps = 20
  let old = try golden.input("log_probs_old"), advantages = try golden.input("advantages")
  let methods: [any PolicyGradientAlgorithm] = [try DDPO(options), try B2DiffuRL(options)]
  for method in methods {
    let result = Tape.gradients(of: [try golden.input("log_probs").reshaped([1, -1])]) { inputs in
      let terms = PolicyTerms(
        logProbabilities: inputs[0], behaviour: old.reshaped([1, -1]), advantages: advantages.reshaped([1, -1]),
        steps: [Int](repeating: 0, count: old.count))
      return (method.loss(terms).loss, ())
    }
    try agreement.compare("out.loss", result.loss, within: Agreement.arithmetic)
    try agreement.compare("out.grad_log_probs", result.inputs[0].reshaped([-1]), within: Agreement.arithmetic)
  }
}

func branchInterval(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let values = golden.values
  let interval = try ProgressiveInterval(
    left: values.integer("split_left"), right: values.integer("split_right"), stages: values.integer("stages"))
  try agreement.compare("out.interval", try golden.tensors.integers("out.stage").map { interval.length(atStage: $0) })
}

func branchSelection(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let values = golden.values
  let branches = try values.integer("branches"), prompts = try values.strings("prompts")
  var history = StageHistory(length: try values.integer("history"))
  for stage in 0..<(try values.integer("stages")) {
    let found = history.normalized(try golden.input("scores\(stage)").values, prompts: prompts)
    try agreement.compare("out.normalised\(stage)", found, within: Agreement.arithmetic)
    let choices = try stride(from: 0, to: found.count, by: branches).map { first in
      BranchChoice(
        Array(found[first..<first + branches]), positive: try golden.number("positive_threshold"),
        negative: try golden.number("negative_threshold"))
    }
    try agreement.compare("out.positive\(stage)", choices.map { $0.best ?? -1 })
    try agreement.compare("out.negative\(stage)", choices.map { $0.worst ?? -1 })
  }
}

func rewardGammaPriorities(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let found = ReplayTable.priorities(
    rewards: try golden.input("rewards").values, steps: try golden.values.integer("steps"),
    discount: try golden.number("gamma"))
  try agreement.compare("out.probabilities", found.flatMap { $0.map(Float.init) }, within: Agreement.arithmetic)
}

func upperConfidenceBonus(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let bonus = OptimismBonus(
    explored: try golden.input("explored_features"), weight: try golden.number("alpha"),
    ridge: try golden.number("ridge"), clip: try golden.number("clip"))
  try agreement.compare("out.bonus", bonus(try golden.input("features")), within: Agreement.arithmetic)
}

func bradleyTerryLoss(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let result = Tape.gradients(of: [try golden.input("preferred"), try golden.input("rejected")]) { inputs in
    (LaSRO.rankingLoss(preferred: inputs[0], rejected: inputs[1]).loss, ())
  }
  try agreement.compare("out.loss", result.loss, within: Agreement.arithmetic)
  for (name, found) in [("grad_preferred", result.inputs[0]), ("grad_rejected", result.inputs[1])] {
    try agreement.compare("out." + name, found, within: Agreement.arithmetic)
  }
}

func sqdfLoss(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let (process, unet, policy) = try policy(of: golden), conditioning = try conditioning(of: golden)
  let frozen = try UNet2DCondition(folder: golden.model("unet"))
  let vae = try AutoencoderKL(folder: golden.model("vae"))
  var options = MethodSettings()
  options.sampling.steps = process.timesteps.count
  options.training.discount = try golden.number("gamma")
  options.gradient.divergenceWeight = try golden.number("alpha")
  var consistency: (lcm: LCM, denoiser: Denoiser)?
  if case .string = golden.values.values["consistency_model"] {
    let unet = try UNet2DCondition(folder: golden.file("consistency_model").appending(path: "unet"))
    let lcm = try LCM(schedule: process.schedule, steps: process.timesteps.count)
    consistency = (lcm, { unet($0, timesteps: $1, encoderHiddenStates: $2) })
    options.gradient.estimate = .consistency
  }
  func picture(_ latents: Tensor) -> Tensor { vae.decode(latents / vae.scalingFactor) }
  func reward(_ pictures: Tensor) -> Tensor { 10 * (pictures / 2 + 0.5).clamped(0, 1).mean(axes: [1, 2, 3]) }
  let models = RolloutModels(
    process: process, policy: policy, reference: { frozen($0, timesteps: $1, encoderHiddenStates: $2) },
    consistency: consistency, reward: { clean, _, _ in reward(picture(clean)) })
  let steps = try golden.integers("step_index"), states = try golden.input("latents")
  let noise = try golden.input("noise"), sqdf = SQDF(options)
  let rollout = Rollout(
    states: states, cleanStates: states, steps: steps, prompts: steps.map { _ in "" }, conditioning: conditioning)
  try agreement.compare("in.timesteps", process.timesteps)

  let (next, _, divergence) = models.step(states, steps: steps, conditioning: conditioning, noise: noise)
  let clean = models.cleanEstimate(
    options.gradient, next, steps: steps.map { $0 + 1 }, conditioning: conditioning)
  let images = picture(clean)
  for (name, found) in [
    ("prev_sample", next), ("kl", divergence), ("clean_estimate", clean), ("reward", reward(images)),
    ("image", images),
  ] {
    try agreement.compare("out." + name, found, within: Agreement.network)
  }
  var random = RandomStream(seed: 1)
  let result = try Tape.gradients { _ in
    try sqdf.objective(rollout, models, noise: { _ in noise }, random: &random)
  }
  try agreement.compare("out.loss", result.loss, within: Agreement.network)
  try agreement.compareGradients(of: unet.loraParameters, result.parameters, with: "out.grad.")
}
