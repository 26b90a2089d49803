// The noise of a diffusion model over its training timesteps, and the timesteps that sampling visits. The numbers are
// those of diffusers' schedulers; a setting of scheduler_config.json that is not supported is refused by name.

package import Foundation

package struct NoiseSchedule: Sendable {
  /// The quantity that the network predicts.
  package enum Prediction: String, Sendable, Codable {
    case epsilon
    case sample
    case velocity = "v_prediction"
  }

  /// How the timesteps of sampling are spaced.
  package enum Spacing: String, Sendable, Codable {
    case leading, trailing, linspace
  }

  /// How the betas grow from the first to the last.
  package enum BetaSchedule: String, Sendable, Codable {
    case linear
    /// The square roots grow linearly.
    case scaledLinear = "scaled_linear"
  }

  /// The fields of a scheduler_config.json that are used; the defaults are Stable Diffusion's.
  package struct Configuration: Sendable {
    package var trainingTimesteps = 1000
    package var betaStart = 0.00085
    package var betaEnd = 0.012
    package var betaSchedule = BetaSchedule.scaledLinear
    package var prediction = Prediction.epsilon
    package var spacing = Spacing.leading
    package var stepsOffset = 1

    package init() {}
  }

  package let configuration: Configuration
  /// ᾱ_t for t in 0..<trainingTimesteps.
  package let cumulativeAlphas: [Float]

  package init(_ configuration: Configuration) throws {
    let c = configuration
    guard c.trainingTimesteps > 1, c.betaStart > 0, c.betaEnd < 1, c.betaStart <= c.betaEnd, c.stepsOffset >= 0 else {
      throw ScheduleError(
        "a noise schedule needs at least 2 timesteps, 0 < beta_start <= beta_end < 1 and steps_offset >= 0; found "
          + "\(c.trainingTimesteps), \(c.betaStart), \(c.betaEnd), \(c.stepsOffset)")
    }
    self.configuration = configuration
    cumulativeAlphas = Self.cumulativeProduct(of: Self.betas(c).map { 1 - $0 })
  }

  /// float32 as torch.linspace computes it: from both ends towards the middle, with fused multiply-adds.
  private static func betas(_ c: Configuration) -> [Float] {
    let rooted = c.betaSchedule == .scaledLinear
    let start = Float(rooted ? c.betaStart.squareRoot() : c.betaStart)
    let end = Float(rooted ? c.betaEnd.squareRoot() : c.betaEnd)
    let last = c.trainingTimesteps - 1, step = (end - start) / Float(last)
    return (0...last).map { index in
      let value = index < c.trainingTimesteps / 2
        ? start.addingProduct(step, Float(index)) : end.addingProduct(-step, Float(last - index))
      return rooted ? value * value : value
    }
  }

  /// torch.cumprod on a CPU keeps the running product in double precision and rounds each stored value.
  private static func cumulativeProduct(of factors: [Float]) -> [Float] {
    var product = 1.0
    return factors.map {
      product *= Double($0)
      return Float(product)
    }
  }

  /// The timesteps of `steps` denoising steps, the noisiest first.
  ///
  /// - Throws: `ScheduleError` when `steps` is not in 1...trainingTimesteps, or a timestep is outside of training.
  package func timesteps(_ steps: Int) throws -> [Int] {
    let count = configuration.trainingTimesteps
    guard (1...count).contains(steps) else {
      throw ScheduleError("expected 1 to \(count) sampling steps, found \(steps)")
    }
    let found: [Int]
    switch configuration.spacing {
    case .leading:
      found = (0..<steps).reversed().map { $0 * (count / steps) + configuration.stepsOffset }
    case .trailing:
      // numpy.arange adds the difference of its first two values, which may already be rounded.
      let difference = (Double(count) - Double(count) / Double(steps)) - Double(count)
      found = (0..<steps).map { Int((Double(count) + Double($0) * difference).rounded(.toNearestOrEven)) - 1 }
    case .linspace:
      let step = steps > 1 ? Double(count - 1) / Double(steps - 1) : 0
      found = (0..<steps).reversed().map { Int((Double($0) * step).rounded(.toNearestOrEven)) }
    }
    guard found.allSatisfy({ (0..<count).contains($0) }) else {
      throw ScheduleError(
        "\(steps) steps with \(configuration.spacing.rawValue) spacing and steps_offset \(configuration.stepsOffset) "
          + "visit timesteps \(found.min() ?? 0)...\(found.max() ?? 0), outside of 0..<\(count); use fewer steps")
    }
    return found
  }

  /// The timestep that a DDIM step from `timestep` leads to. The stride is an integer division and the result is at
  /// least 0: the last step keeps some noise, so its log-probability is defined.
  package func previous(of timestep: Int, steps: Int) -> Int {
    let count = configuration.trainingTimesteps
    return min(max(timestep - count / steps, 0), count - 1)
  }
}

package struct ScheduleError: Error, CustomStringConvertible, Equatable {
  package let description: String

  init(_ description: String) { self.description = description }
}

extension NoiseSchedule {
  /// The keys that are read; all of them are optional in diffusers.
  private struct File: Decodable {
    var num_train_timesteps: Int?
    var beta_start: Double?
    var beta_end: Double?
    var beta_schedule: String?
    var prediction_type: String?
    var timestep_spacing: String?
    var steps_offset: Int?
    var clip_sample: Bool?
    var thresholding: Bool?
    var rescale_betas_zero_snr: Bool?
    var trained_betas: [Double]?
  }

  /// Reads a diffusers model folder's `scheduler/scheduler_config.json`; missing keys have the defaults of
  /// diffusers. `spacing` replaces that of the file.
  package init(folder: URL, spacing: Spacing? = nil) throws {
    let url = folder.appendingPathComponent("scheduler/scheduler_config.json")
    guard let data = try? Data(contentsOf: url) else {
      throw ScheduleError(
        "\(url.path): could not read the noise schedule; \(folder.path) must be a model folder in diffusers' format")
    }
    guard let file = try? JSONDecoder().decode(File.self, from: data) else {
      throw ScheduleError(
        "\(url.path): not a JSON object with the keys of a diffusers scheduler (num_train_timesteps, beta_start, ...) "
          + "and values of their types")
    }
    let refused = [
      ("clip_sample", file.clip_sample == true), ("thresholding", file.thresholding == true),
      ("rescale_betas_zero_snr", file.rescale_betas_zero_snr == true), ("trained_betas", file.trained_betas != nil),
    ]
    for (key, isSet) in refused where isSet {
      throw ScheduleError("\(url.path): \(key) is set, which Stepwise does not support; it must be false or null")
    }
    func choice<Value: RawRepresentable>(_ key: String, _ text: String?, _ standard: Value) throws -> Value
    where Value.RawValue == String {
      guard let text else { return standard }
      guard let value = Value(rawValue: text) else {
        throw ScheduleError("\(url.path): \(key) is \(text), which Stepwise does not support")
      }
      return value
    }
    var configuration = Configuration()
    configuration.trainingTimesteps = file.num_train_timesteps ?? 1000
    configuration.betaStart = file.beta_start ?? 0.0001
    configuration.betaEnd = file.beta_end ?? 0.02
    configuration.betaSchedule = try choice("beta_schedule", file.beta_schedule, .linear)
    configuration.prediction = try choice("prediction_type", file.prediction_type, .epsilon)
    configuration.spacing = try spacing ?? choice("timestep_spacing", file.timestep_spacing, .leading)
    configuration.stepsOffset = file.steps_offset ?? 0
    try self.init(configuration)
  }
}
