// The content of a checkpoint as a value: it is taken at the start of an epoch and may be saved in the middle of one.
// Taking it copies no tensor; the optimizer copies the tensors that it changes while an image refers to them.

internal import Algorithms
internal import Durable
internal import Engine
internal import Foundation
internal import Layers
internal import Models

struct CheckpointImage {
  struct State: Codable, Equatable {
    var schema = 1
    /// The policy version, which is the number of trained epochs.
    var version: Int
    var seed: UInt64
    var modelFingerprint: String
    var optimizerStep: Int
    var groupsTrained: Int
    var groupsUnscored: Int
    /// See `TrainingIntake.groupsSampled`.
    var groupsSampled: Int
    var algorithm: String
    /// From `TrainingMethod.state()`.
    var algorithmState: Data
    /// The latest scores; nil when rewards are not normalized.
    var rewardNormalization: RewardNormalization?
  }

  static let adapterFile = "pytorch_lora_weights.safetensors"
  static let optimizerFile = "optimizer.safetensors", stateFile = "state.json"
  /// From `TrainingMethod.tensors`, if it has any.
  static let methodFile = "method.safetensors"
  static let heldOutFile = "held-out.json"

  let state: State
  var heldOut: HeldOutScore?
  private let files: [(name: String, writer: SafetensorsWriter)]

  /// - Parameter groupsSampled: the number before the next epoch.
  init(_ trainer: Trainer, seed: UInt64, groupsSampled: Int) throws {
    var moments = SafetensorsWriter()
    for (name, value) in trainer.policy.optimizer.namedMoments { moments.add(name, value) }
    var files = [(Self.adapterFile, trainer.policy.model.unet.loraWriter()), (Self.optimizerFile, moments)]
    let ofMethod = trainer.method.tensors
    if !ofMethod.isEmpty {
      var weights = SafetensorsWriter()
      for (name, value) in ofMethod { weights.add(name, value) }
      files.append((Self.methodFile, weights))
    }
    self.files = files
    state = State(
      version: trainer.version, seed: seed, modelFingerprint: trainer.policy.model.fingerprint,
      optimizerStep: trainer.policy.optimizer.step, groupsTrained: trainer.groupsTrained,
      groupsUnscored: trainer.groupsUnscored, groupsSampled: groupsSampled, algorithm: trainer.method.name,
      algorithmState: try trainer.method.state(), rewardNormalization: trainer.learnedReward.normalization)
  }

  /// Writes all files durably.
  func write(to folder: URL) throws {
    for (name, writer) in files { try writer.write(to: folder.appending(path: name)) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    func write(_ value: some Encodable, _ name: String) throws {
      try Disk.writeWhole(encoder.encode(value), to: folder.appending(path: name).path)
    }
    if let heldOut { try write(heldOut, Self.heldOutFile) }
    try write(state, Self.stateFile)
  }
}
