// What a checkpoint holds, as a value: taken at the beginning of an epoch it can be saved in the middle of one. It
// costs no copy by itself; the optimiser copies what it changes while an image holds on to it.

internal import Algorithms
internal import Durable
internal import Engine
internal import Foundation
internal import Layers
internal import Models

/// A trainer's state at a moment.
struct CheckpointImage {
  /// What a checkpoint's state.json holds.
  struct State: Codable, Equatable {
    /// Of this layout.
    var schema = 1
    /// Epochs trained; the policy's version.
    var version: Int
    var seed: UInt64
    var modelFingerprint: String
    var optimizerStep: Int
    var groupsTrained: Int
    var groupsUnscored: Int
    /// Groups that training had taken, each counted as often as it was taken.
    var groupsSampled: Int
    var algorithm: String
    /// The method's own, as it encodes it.
    var algorithmState: Data
    /// The latest scores that rewards are normalised by, where they are.
    var rewardNormalization: RewardNormalization?
  }

  static let adapterFile = "pytorch_lora_weights.safetensors"
  static let optimizerFile = "optimizer.safetensors", stateFile = "state.json"
  /// Weights that the method has of its own, where it has any.
  static let methodFile = "method.safetensors"
  /// What the policy reached on held-out prompts, where it was measured.
  static let heldOutFile = "held-out.json"

  let state: State
  /// What the policy reached on held-out prompts, where it was measured.
  var heldOut: HeldOutScore?
  private let files: [(name: String, writer: SafetensorsWriter)]

  /// - Parameter groupsSampled: taken before the epoch that comes next.
  /// - Throws: when the method cannot encode its state.
  init(_ trainer: Trainer, seed: UInt64, groupsSampled: Int) throws {
    var moments = SafetensorsWriter()
    for (index, parameter) in trainer.policy.optimizer.parameters.enumerated() {
      let (first, second) = trainer.policy.optimizer.moments(at: index)
      moments.add("first." + parameter.name, first)
      moments.add("second." + parameter.name, second)
    }
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

  /// Writes all files, each on disk when this returns.
  ///
  /// - Throws: when the disk is full or gone.
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
