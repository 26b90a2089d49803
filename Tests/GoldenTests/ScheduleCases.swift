// Schedules, the DDIM step, and sampling from a consistency model.

import Diffusion
import Engine
import Foundation
import Layers
import Models

/// The schedule that the values of a case describe.
func schedule(of golden: GoldenCase) throws -> NoiseSchedule {
  let values = golden.values, standard = NoiseSchedule.Configuration()
  func choice<Value: RawRepresentable<String>>(_ key: String, _ fallback: Value) throws -> Value {
    let text = try values.string(key, fallback.rawValue)
    guard let value = Value(rawValue: text) else { throw GoldenProblem("\(golden): unknown \(key) \(text)") }
    return value
  }
  var configuration = NoiseSchedule.Configuration()
  configuration.trainingTimesteps = try values.integer("num_train_timesteps", standard.trainingTimesteps)
  configuration.betaStart = try values.number("beta_start", standard.betaStart)
  configuration.betaEnd = try values.number("beta_end", standard.betaEnd)
  configuration.betaSchedule = try choice("beta_schedule", standard.betaSchedule)
  configuration.prediction = try choice("prediction_type", standard.prediction)
  configuration.spacing = try choice("spacing", standard.spacing)
  configuration.stepsOffset = try values.integer("steps_offset", standard.stepsOffset)
  return try NoiseSchedule(configuration)
}

/// The schedule of the model folder of a case, or Stable Diffusion's if the folder has none.
func schedule(ofModelOf golden: GoldenCase) throws -> NoiseSchedule {
  let folder = try golden.file("model")
  let hasOne = FileManager.default.fileExists(atPath: folder.appending(path: "scheduler").path)
  return try hasOne ? NoiseSchedule(folder: folder) : NoiseSchedule(NoiseSchedule.Configuration())
}

func ddimSchedule(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let schedule = try schedule(of: golden)
  try agreement.compare("out.timesteps", try schedule.timesteps(golden.values.integer("steps")))
  try agreement.compare("out.alphas_cumprod", schedule.cumulativeAlphas, within: Agreement.arithmetic)
}

func ddimStep(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let values = golden.values
  let process = try DDIM(
    schedule: schedule(of: golden), steps: values.integer("steps"), eta: golden.number("eta"))
  let (output, sample) = (try golden.input("model_output"), try golden.input("sample"))
  let timesteps = try golden.integers("timesteps")
  let step = process.step(
    output: output, sample: sample, timesteps: timesteps, noise: try golden.input("noise"))
  let given = process.logProbability(
    of: try golden.input("given_prev_sample"), output: output, sample: sample, timesteps: timesteps)
  for (name, found) in [
    ("prev_sample", step.previous), ("pred_original_sample", step.clean), ("log_prob", step.logProbability),
    ("log_prob_given", given),
  ] {
    try agreement.compare("out." + name, found, within: Agreement.arithmetic)
  }
}

func lcmSampling(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let values = golden.values
  var configuration = LCM.Configuration()
  configuration.originalSteps = try values.integer("original_inference_steps")
  configuration.sigmaData = try golden.number("sigma_data")
  configuration.timestepScaling = try golden.number("timestep_scaling")
  let process = try LCM(
    schedule: schedule(ofModelOf: golden), steps: values.integer("steps"), configuration: configuration)
  let unet = try UNet2DCondition(folder: golden.model("unet"))
  let text = try golden.input("encoder_hidden_states"), noises = try golden.input("noises")
  var sample = try golden.input("initial_latents"), denoised: [Tensor] = []
  for (index, timestep) in process.timesteps.enumerated() {
    let output = unet(
      sample, timesteps: [Int](repeating: timestep, count: sample.shape[0]), encoderHiddenStates: text)
    let step = process.step(index, output: output, sample: sample, noise: noises.row(index))
    sample = step.previous
    denoised.append(step.denoised)
  }
  try agreement.compare("out.timesteps", process.timesteps)
  let byPrompt = Tensor.stacked(denoised).permuted([1, 0, 2, 3, 4])
  try agreement.compare("out.denoised", byPrompt, within: Agreement.trajectory)
  try agreement.compare("out.sample", sample, within: Agreement.trajectory)
}

extension Tensor {
  /// The row `index` of the first axis, without that axis.
  func row(_ index: Int) -> Tensor { slice(axis: 0, index..<index + 1).reshaped(Array(shape.dropFirst())) }

  /// The column `index` of the second axis, without that axis.
  func column(_ index: Int) -> Tensor {
    slice(axis: 1, index..<index + 1).reshaped([shape[0]] + shape.dropFirst(2))
  }
}
