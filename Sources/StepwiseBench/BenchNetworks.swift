// `stepwise-bench unet`, `vae` and `text`: one evaluation of a network with random weights from its config.json.

import ArgumentParser
import Engine
import Foundation
import Layers
import Models
import Programs
import Supervision

struct NetworkReport: Encodable {
  let peer: String
  let mode: String
  let batch: Int
  var latent: Int?
  var tokens: Int?
  var rank: Int?
  let threads: Int
  let seconds: Double
  let allSeconds: [Double]
  /// CPU seconds in all threads, mean of the runs.
  let cpuSeconds: Double
  /// Operations of matrix products and convolutions in one run, in units of 10^9.
  let gflop: Double
  let gflopPerSecond: Double
  let peakMemoryGb: Double

  init(_ mode: String, batch: Int, operations: Double, _ measured: BenchMeasurement) {
    peer = BenchMeasurement.name
    self.mode = mode
    self.batch = batch
    threads = Compute.threads
    seconds = measured.median.rounded(toPlaces: 4)
    allSeconds = measured.seconds.map { $0.rounded(toPlaces: 4) }
    cpuSeconds = measured.processorSeconds.rounded(toPlaces: 4)
    gflop = (operations / 1e9).rounded(toPlaces: 6)
    gflopPerSecond = (operations / 1e9 / measured.median).rounded(toPlaces: 1)
    peakMemoryGb = BenchMeasurement.peakMemory
  }

  var text: String {
    String(format: "%.4f s (median of %d), %.1f GFLOP, %.1f GFLOP/s, peak memory %.2f GB",
      seconds, allSeconds.count, gflop, gflopPerSecond, peakMemoryGb)
  }
}

extension BenchOptions {
  /// Starts the compute threads.
  ///
  /// - Parameter file: the config.json of the network.
  /// - Throws: `CommandError` when the network does not fit into memory.
  fileprivate func start(_ file: String, _ cost: NetworkCost) throws {
    var demand = MemoryDemand()
    demand.add("\(cost.parameters / 1_000_000) M weights", bytes: cost.weightBytes)
    demand.add("values between layers", bytes: 4 * cost.widest)
    do {
      try demand.require(advice: "Use a smaller --batch or --latent, or a machine with more memory.")
    } catch {
      throw CommandError("\(file): \(error)")
    }
    try start()
  }
}

struct BenchUNet: ParsableCommand {
  enum Mode: String, CaseIterable, ExpressibleByArgument { case forward, lora }

  static let configuration = CommandConfiguration(
    commandName: "unet",
    abstract: "Measure the evaluation of a UNet, or the forward and backward pass through its LoRA.")

  @Option(help: "config.json of a diffusers UNet2DConditionModel.") var config: String
  @Option(help: "forward, or lora for the forward and backward pass through frozen weights and adapters.")
  var mode = Mode.forward
  @Option(help: "Samples per batch.") var batch = 1
  @Option(help: "Side of the latents. (default: that of the configuration)") var latent: Int?
  @Option(help: "Tokens per prompt.") var tokens = 77
  @Option(help: "Rank of the adapters.") var rank = 4
  @Flag(help: "Recompute activations in the backward pass instead of keeping them.") var gradientCheckpointing = false
  @Option(help: "Measured runs, after one that is not measured.") var runs = 3
  @OptionGroup var options: BenchOptions

  func validate() throws {
    try requirePositive(["batch": batch, "latent": latent ?? 1, "tokens": tokens, "rank": rank, "runs": runs])
  }

  func run() throws {
    let configuration = try UNetConfiguration(ModelConfiguration(file: URL(filePath: config)))
    let side = latent ?? configuration.sampleSize
    let cost = try configuration.cost(batch: batch, latent: side, tokens: tokens)
    try options.start(config, cost)
    let random = RandomStream(seed: options.seed)
    let unet = try UNet2DCondition(configuration, from: ParameterSource(random: random.fork("weights")))
    var inputs = random.fork("inputs")
    let latents = inputs.normal([batch, configuration.inChannels, side, side])
    let text = inputs.normal([batch, tokens, configuration.crossAttentionWidth])
    let timesteps = [Int](repeating: 999, count: batch)
    unet.usesGradientCheckpointing = gradientCheckpointing
    if mode == .lora { try unet.addLoRA(rank: rank, alpha: Float(rank), random: random.fork("lora")) }
    let measured = BenchMeasurement(runs: runs) {
      switch mode {
      case .forward:
        _ = Tape.withoutGradients { unet(latents, timesteps: timesteps, encoderHiddenStates: text) }
      case .lora:
        _ = Tape.gradients { _ in
          (unet(latents, timesteps: timesteps, encoderHiddenStates: text).squared().mean(), ())
        }
      }
    }
    // The gradient with respect to the input of a frozen layer costs as much as the layer.
    let operations = cost.operations * (mode == .lora ? 2 : 1)
    var report = NetworkReport(mode.rawValue, batch: batch, operations: operations, measured)
    (report.latent, report.tokens, report.rank) = (side, tokens, mode == .lora ? rank : nil)
    try options.show(report, text: "unet \(mode.rawValue), batch \(batch), latents \(side): \(report.text)")
  }
}

struct BenchVAE: ParsableCommand {
  enum Mode: String, CaseIterable, ExpressibleByArgument { case decode, encode }

  static let configuration = CommandConfiguration(
    commandName: "vae",
    abstract: "Measure decoding or encoding with an AutoencoderKL or AutoencoderTiny.")

  @Option(help: "config.json of a diffusers AutoencoderKL or AutoencoderTiny.") var config: String
  @Option(help: "decode latents, or encode pictures.") var mode = Mode.decode
  @Option(help: "Pictures per batch.") var batch = 1
  @Option(help: "Side of the latents.") var latent = 64
  @Option(help: "Measured runs, after one that is not measured.") var runs = 3
  @OptionGroup var options: BenchOptions

  func validate() throws { try requirePositive(["batch": batch, "latent": latent, "runs": runs]) }

  func run() throws {
    let values = try ModelConfiguration(file: URL(filePath: config))
    let isTiny = values.values["_class_name"] == .string("AutoencoderTiny")
    let (cost, work) = try isTiny ? tiny(values) : full(values)
    let measured = BenchMeasurement(runs: runs) { _ = Tape.withoutGradients(work) }
    var report = NetworkReport(mode.rawValue, batch: batch, operations: cost.operations, measured)
    report.latent = latent
    try options.show(report, text: "vae \(mode.rawValue), batch \(batch), latents \(latent): \(report.text)")
  }

  private func full(_ values: ModelConfiguration) throws -> (NetworkCost, () -> Tensor) {
    let configuration = try AutoencoderConfiguration(values)
    let cost = try cost(configuration.decodingCost, configuration.encodingCost)
    let vae = try AutoencoderKL(configuration, from: weights)
    let input = input(latentChannels: configuration.latentChannels, reduction: configuration.reduction)
    return (cost, { mode == .decode ? vae.decode(input) : vae.encode(input).mean })
  }

  private func tiny(_ values: ModelConfiguration) throws -> (NetworkCost, () -> Tensor) {
    let configuration = try AutoencoderTinyConfiguration(values)
    let cost = try cost(configuration.decodingCost, configuration.encodingCost)
    let vae = try AutoencoderTiny(configuration, from: weights)
    let input = input(latentChannels: configuration.latentChannels, reduction: vae.reduction)
    return (cost, { mode == .decode ? vae.decode(input) : vae.encode(input) })
  }

  /// The cost of the mode; starts the compute threads.
  private func cost(
    _ decoding: (_ batch: Int, _ latent: Int) throws -> NetworkCost,
    _ encoding: (_ batch: Int, _ latent: Int) throws -> NetworkCost
  ) throws -> NetworkCost {
    let cost = try mode == .decode ? decoding(batch, latent) : encoding(batch, latent)
    try options.start(config, cost)
    return cost
  }

  private var weights: ParameterSource { ParameterSource(random: RandomStream(seed: options.seed).fork("weights")) }

  private func input(latentChannels: Int, reduction: Int) -> Tensor {
    var stream = RandomStream(seed: options.seed).fork("inputs")
    let side = latent * reduction
    return mode == .decode
      ? stream.normal([batch, latentChannels, latent, latent]) : stream.uniform([batch, 3, side, side]) * 2 - 1
  }
}

struct BenchText: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "text", abstract: "Measure the text encoder on random tokens.")

  @Option(help: "config.json of a transformers CLIPTextModel.") var config: String
  @Option(help: "Prompts per batch.") var batch = 1
  @Option(help: "Tokens per prompt.") var tokens = 77
  @Option(help: "Measured runs, after one that is not measured.") var runs = 3
  @OptionGroup var options: BenchOptions

  func validate() throws { try requirePositive(["batch": batch, "tokens": tokens, "runs": runs]) }

  func run() throws {
    let configuration = try CLIPTextConfiguration(ModelConfiguration(file: URL(filePath: config)))
    guard tokens <= configuration.maximumLength else {
      throw CommandError("--tokens: expected at most \(configuration.maximumLength) for \(config), found \(tokens)")
    }
    let cost = try configuration.cost(batch: batch, tokens: tokens)
    try options.start(config, cost)
    let random = RandomStream(seed: options.seed)
    let encoder = try CLIPText(configuration, from: ParameterSource(random: random.fork("weights")))
    var inputs = random.fork("inputs")
    let ids = (0..<batch).map { _ in (0..<tokens).map { _ in inputs.integer(below: configuration.vocabularySize) } }
    let measured = BenchMeasurement(runs: runs) { _ = Tape.withoutGradients { encoder(ids) } }
    var report = NetworkReport("forward", batch: batch, operations: cost.operations, measured)
    report.tokens = tokens
    try options.show(report, text: "text, batch \(batch), \(tokens) tokens: \(report.text)")
  }
}
