// The reward that a method differentiates, as a function of clean states: what people see scored by servers, or what
// was learned from scores.

internal import Algorithms
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Models

/// A differentiable reward. Belongs to the training thread.
protocol DifferentiableReward: AnyObject {
  /// Learns from the newest groups, before the policy is trained on them.
  ///
  /// - Parameters:
  ///   - batch: an epoch's groups with all their scores.
  ///   - table: what is stored of this and earlier epochs.
  ///   - stored: gives the groups that the table names.
  /// - Returns: whether it is good enough for the policy to follow.
  /// - Throws: when stored groups cannot be had, or numbers are not finite.
  func learn(
    _ batch: EpochBatch, _ table: ReplayTable, _ stored: StoredGroups, _ report: inout EpochReport
  ) throws -> Bool

  /// Scores of clean states `[B, C, H, W]`, differentiable, `[B]`; NaN where one is missing.
  ///
  /// - Throws: when there can be none at all.
  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor

  /// Gradients at pictures that reward servers were asked for since this was made.
  var queries: Int { get }

  /// Numbers between epochs, for a checkpoint.
  func state() throws -> Data
  /// Takes up the state of a checkpoint.
  func restore(_ state: Data) throws
  /// Weights between epochs, by name, for a checkpoint.
  var tensors: [(name: String, value: Tensor)] { get }
  /// Takes up the weights of a checkpoint.
  func restore(tensors: SafetensorsFile) throws
}

extension DifferentiableReward {
  /// What was learned here asks nobody.
  var queries: Int { 0 }
}

/// Scores by servers: nothing is learned.
final class ServedReward: DifferentiableReward {
  private(set) var queries = 0
  private let policy: TrainableModel
  private let source: any PixelGradients
  private let rescalesPixelsTwice: Bool

  /// - Parameter rescalesPixelsTwice: see `GradientSettings`.
  init(_ policy: TrainableModel, _ source: any PixelGradients, rescalesPixelsTwice: Bool) {
    self.policy = policy
    self.source = source
    self.rescalesPixelsTwice = rescalesPixelsTwice
  }

  func learn(
    _ batch: EpochBatch, _ table: ReplayTable, _ stored: StoredGroups, _ report: inout EpochReport
  ) throws -> Bool { true }

  /// The servers' scores; their gradient with respect to the pixels goes on through the decoder.
  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor {
    var pixels = policy.model.pixels(cleanStates)
    if rescalesPixelsTwice { pixels = pixels / 2 + 0.5 }
    queries += prompts.count
    let (values, gradient) = try source.scores(of: pixels.detached, prompts: prompts)
    // Its value is the servers', its derivative with respect to the pixels the gradient they gave.
    let change = ((pixels - pixels.detached) * gradient.detached).sum(axes: [1, 2, 3])
    return change + Tensor(values.map { $0 ?? .nan }, shape: [values.count])
  }

  func state() throws -> Data { Data() }
  func restore(_ state: Data) throws {}
  var tensors: [(name: String, value: Tensor)] { [] }
  func restore(tensors: SafetensorsFile) throws {}
}
