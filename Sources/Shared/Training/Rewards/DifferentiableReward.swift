// The reward that a method differentiates, as a function of clean states: computed by reward servers, or learned from
// scores.

internal import Algorithms
internal import Diffusion
internal import Engine
internal import Foundation
internal import Layers
internal import Models

/// Used on the training thread only.
protocol DifferentiableReward: AnyObject {
  /// Learns from the groups of an epoch, before the policy is trained on them.
  ///
  /// - Parameters:
  ///   - batch: the groups of the epoch, all scored.
  ///   - table: the stored trajectories of this and earlier epochs.
  /// - Returns: whether the reward is good enough to train the policy with.
  /// - Throws: when stored groups cannot be read, or a loss is not finite.
  func learn(
    _ batch: EpochBatch, _ table: ReplayTable, _ stored: StoredGroups, _ report: inout EpochReport
  ) throws -> Bool

  /// Differentiable scores `[B]` of clean states `[B, C, H, W]`; NaN where one is missing.
  ///
  /// - Throws: when no state can be scored.
  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor

  /// The number of pictures for which gradients were requested from reward servers.
  var queries: Int { get }

  // As in `TrainingMethod`.
  func state() throws -> Data
  func restore(_ state: Data) throws
  var tensors: [(name: String, value: Tensor)] { get }
  func restore(tensors: SafetensorsFile) throws
}

extension DifferentiableReward {
  var queries: Int { 0 }
}

/// Scores and gradients of reward servers; nothing is learned.
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

  func scores(_ cleanStates: Tensor, prompts: [String], conditioning: Conditioning) throws -> Tensor {
    var pixels = policy.model.pixels(cleanStates)
    if rescalesPixelsTwice { pixels = pixels / 2 + 0.5 }
    queries += prompts.count
    let (values, gradient) = try source.scores(of: pixels.detached, prompts: prompts)
    // The value is the scores; the derivative with respect to the pixels is the gradient of the servers, which then
    // passes through the decoder.
    let change = ((pixels - pixels.detached) * gradient.detached).sum(axes: [1, 2, 3])
    return change + Tensor(values.map { $0 ?? .nan }, shape: [values.count])
  }

  func state() throws -> Data { Data() }
  func restore(_ state: Data) throws {}
  var tensors: [(name: String, value: Tensor)] { [] }
  func restore(tensors: SafetensorsFile) throws {}
}
