// The methods other than SDPO: losses, selection, priorities, bonuses, and a whole update of SQDF.

import Algorithms
import Diffusion
import Engine
import Foundation
import Settings
import Layers
import Models

/// The losses of DDPO and B2-DiffuRL, which differ only in the clip.
@Sendable func ppoClipLoss(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  var options = MethodSettings()
  options.training.logRatioClip = Float(try golden.values.number("clip_range"))
  options.training.advantageClip = Float(try golden.values.number("adv_clip_max"))
  options.sampling.steps = 20
  let old = try tensors.tensor("in.log_probs_old"), advantages = try tensors.tensor("in.advantages")
  var agreement = Agreement()
  let methods: [any PolicyGradientAlgorithm] = [try DDPO(options), try B2DiffuRL(options)]
  for method in methods {
    let result = Tape.gradients(of: [try tensors.tensor("in.log_probs").reshaped([1, -1])]) { inputs in
      let terms = PolicyTerms(
        logProbabilities: inputs[0], behaviour: old.reshaped([1, -1]), advantages: advantages.reshaped([1, -1]),
        steps: [Int](repeating: 0, count: old.count))
      return (method.loss(terms).loss, ())
    }
    agreement.compare("loss", result.loss, try tensors.tensor("out.loss"), tolerance: Agreement.arithmetic)
    agreement.compare(
      "grad_log_probs", result.inputs[0].reshaped([-1]), try tensors.tensor("out.grad_log_probs"),
      tolerance: Agreement.arithmetic)
  }
  return agreement
}

@Sendable func branchInterval(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let interval = try ProgressiveInterval(
    left: values.integer("split_left"), right: values.integer("split_right"), stages: values.integer("stages"))
  var agreement = Agreement()
  agreement.compare(
    "interval", try tensors.integers("out.stage").map { interval.length(atStage: $0) },
    try tensors.integers("out.interval"))
  return agreement
}

@Sendable func branchSelection(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let branches = try values.integer("branches"), prompts = try values.strings("prompts")
  var history = StageHistory(length: try values.integer("history")), agreement = Agreement()
  for stage in 0..<(try values.integer("stages")) {
    let found = history.normalized(try tensors.tensor("in.scores\(stage)").values, prompts: prompts)
    agreement.compare(
      "normalised\(stage)", found, try tensors.tensor("out.normalised\(stage)").values,
      tolerance: Agreement.arithmetic)
    let choices = try stride(from: 0, to: found.count, by: branches).map { first in
      BranchChoice(
        Array(found[first..<first + branches]), positive: Float(try values.number("positive_threshold")),
        negative: Float(try values.number("negative_threshold")))
    }
    agreement.compare("positive\(stage)", choices.map { $0.best ?? -1 }, try tensors.integers("out.positive\(stage)"))
    agreement.compare("negative\(stage)", choices.map { $0.worst ?? -1 }, try tensors.integers("out.negative\(stage)"))
  }
  return agreement
}

@Sendable func rewardGammaPriorities(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let found = ReplayTable.priorities(
    rewards: try tensors.tensor("in.rewards").values, steps: try golden.values.integer("steps"),
    discount: Float(try golden.values.number("gamma")))
  var agreement = Agreement()
  agreement.compare(
    "probabilities", found.flatMap { $0.map(Float.init) }, try tensors.tensor("out.probabilities").values,
    tolerance: Agreement.arithmetic)
  return agreement
}

@Sendable func upperConfidenceBonus(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let bonus = OptimismBonus(
    explored: try tensors.tensor("in.explored_features"), weight: Float(try values.number("alpha")),
    ridge: Float(try values.number("ridge")), clip: Float(try values.number("clip")))
  var agreement = Agreement()
  agreement.compare(
    "bonus", bonus(try tensors.tensor("in.features")), try tensors.tensor("out.bonus"),
    tolerance: Agreement.arithmetic)
  return agreement
}

@Sendable func bradleyTerryLoss(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let result = Tape.gradients(of: [try tensors.tensor("in.preferred"), try tensors.tensor("in.rejected")]) { inputs in
    (LaSRO.rankingLoss(preferred: inputs[0], rejected: inputs[1]).loss, ())
  }
  var agreement = Agreement()
  agreement.compare("loss", result.loss, try tensors.tensor("out.loss"), tolerance: Agreement.arithmetic)
  for (name, found) in [("grad_preferred", result.inputs[0]), ("grad_rejected", result.inputs[1])] {
    agreement.compare(name, found, try tensors.tensor("out." + name), tolerance: Agreement.arithmetic)
  }
  return agreement
}

@Sendable func sqdfLoss(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors(), values = golden.values
  let (process, unet, policy) = try policy(of: golden), conditioning = try conditioning(of: golden, tensors)
  let frozen = try UNet2DCondition(folder: golden.model("unet"))
  let vae = try AutoencoderKL(folder: golden.model("vae"))
  var options = MethodSettings()
  options.sampling.steps = process.timesteps.count
  options.training.discount = Float(try values.number("gamma"))
  options.gradient.divergenceWeight = Float(try values.number("alpha"))
  var consistency: (lcm: LCM, denoiser: Denoiser)?
  if case .string = values.values["consistency_model"] {
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
  let steps = try tensors.integers("in.step_index"), states = try tensors.tensor("in.latents")
  let noise = try tensors.tensor("in.noise"), sqdf = SQDF(options)
  let rollout = Rollout(
    states: states, cleanStates: states, steps: steps, prompts: steps.map { _ in "" }, conditioning: conditioning)
  var agreement = Agreement()
  agreement.compare("timesteps", process.timesteps, try tensors.integers("in.timesteps"))

  let (next, _, divergence) = models.step(states, steps: steps, conditioning: conditioning, noise: noise)
  let clean = models.cleanEstimate(
    options.gradient, next, steps: steps.map { $0 + 1 }, conditioning: conditioning)
  let images = picture(clean)
  for (name, found) in [
    ("prev_sample", next), ("kl", divergence), ("clean_estimate", clean), ("reward", reward(images)),
    ("image", images),
  ] {
    agreement.compare(name, found, try tensors.tensor("out." + name), tolerance: Agreement.network)
  }
  var random = RandomStream(seed: 1)
  let result = try Tape.gradients { _ in
    try sqdf.objective(rollout, models, noise: { _ in noise }, random: &random)
  }
  agreement.compare("loss", result.loss, try tensors.tensor("out.loss"), tolerance: Agreement.network)
  try compareGradients(of: unet.loraParameters, result.parameters, with: "out.grad.", in: tensors, &agreement)
  return agreement
}
