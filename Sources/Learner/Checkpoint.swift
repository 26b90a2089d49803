// Checkpoints: a folder each, complete or absent. checkpoints/step-000120/ holds the adapter as diffusers reads it, the
// optimiser's moments, and everything else that the next update depends on; `latest` names the newest.

internal import Algorithms
internal import Engine
internal import Foundation
internal import Layers
internal import Models

/// The checkpoints of one run.
struct Checkpoints {
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
    var algorithm: String
    /// The method's own, as it encodes it.
    var algorithmState: Data
    /// The latest scores that rewards are normalised by, where they are.
    var rewardNormalization: RewardNormalization?
  }

  static let adapterFile = "pytorch_lora_weights.safetensors"
  private static let optimizerFile = "optimizer.safetensors", stateFile = "state.json"

  /// The run's `checkpoints` folder.
  let folder: URL
  /// How many are kept.
  let keep: Int

  /// Opens the folder, making it where needed, and clears away what an interrupted save left.
  ///
  /// - Throws: when it cannot be made or listed.
  init(runFolder: URL, keep: Int) throws {
    folder = runFolder.appending(path: "checkpoints")
    self.keep = keep
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix(".partial-") {
      try FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }

  /// The newest complete checkpoint; nil when there is none.
  ///
  /// - Throws: when the folder cannot be listed.
  func latest() throws -> URL? { try complete().last }

  private static func name(_ version: Int) -> String {
    let digits = String(version)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// Folders of checkpoints, the oldest first: a folder under its name is complete.
  private func complete() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .compactMap { name in name.hasPrefix("step-") ? Int(name.dropFirst(5)).map { ($0, name) } : nil }
      .sorted { $0.0 < $1.0 }.map { folder.appending(path: $0.1) }
  }

  /// Writes a checkpoint beside its place, syncs it, renames it into place, points `latest` to it, and lets the oldest
  /// go.
  ///
  /// - Returns: its folder.
  /// - Throws: when the disk is full or gone; nothing half-written is left under a checkpoint's name.
  func save(_ trainer: Trainer, seed: UInt64) throws -> URL {
    let name = Self.name(trainer.version), target = folder.appending(path: name)
    let partial = folder.appending(path: ".partial-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
    do {
      try write(trainer, seed: seed, to: partial)
      if FileManager.default.fileExists(atPath: target.path) { try FileManager.default.removeItem(at: target) }
      try renameDurably(partial, to: target, in: folder)
    } catch {
      // The first error is the one to report; what cannot be removed now is cleared away at the next start.
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
    try pointLatest(to: name)
    for old in try complete().dropLast(keep) { try FileManager.default.removeItem(at: old) }
    return target
  }

  private func write(_ trainer: Trainer, seed: UInt64, to folder: URL) throws {
    try trainer.model.unet.saveLoRA(folder.appending(path: Self.adapterFile))
    var moments = SafetensorsWriter()
    for (index, parameter) in trainer.optimizer.parameters.enumerated() {
      let (first, second) = trainer.optimizer.moments(at: index)
      moments.add("first." + parameter.name, first)
      moments.add("second." + parameter.name, second)
    }
    try moments.write(to: folder.appending(path: Self.optimizerFile))
    let state = State(
      version: trainer.version, seed: seed, modelFingerprint: trainer.model.fingerprint,
      optimizerStep: trainer.optimizer.step, groupsTrained: trainer.groupsTrained,
      groupsUnscored: trainer.groupsUnscored, algorithm: type(of: trainer.algorithm).name,
      algorithmState: try trainer.algorithm.state(), rewardNormalization: trainer.learnedReward.normalization)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    let file = folder.appending(path: Self.stateFile)
    try encoder.encode(state).write(to: file)
    try synchronize(file)
    try synchronize(folder)
  }

  /// Puts a trainer back to a checkpoint: its next update is bit for bit the one that would have come.
  ///
  /// - Throws: `TrainingError` when the checkpoint belongs to another model, seed, method or adapter.
  func restore(_ trainer: Trainer, from checkpoint: URL, seed: UInt64) throws {
    let file = checkpoint.appending(path: Self.stateFile)
    let state: State
    do { state = try JSONDecoder().decode(State.self, from: Data(contentsOf: file)) } catch {
      throw TrainingError(
        "\(file.path): expected a checkpoint's state: \(error). Remove \(checkpoint.path) to resume from the one before.")
    }
    func require(_ name: String, _ found: some Equatable & CustomStringConvertible, _ expected: String) throws {
      guard found.description == expected else {
        throw TrainingError(
          "\(checkpoint.path): its \(name) is \(found), the configuration's \(expected); resume with the "
            + "configuration that the run began with, or choose another run.folder")
      }
    }
    try require("state.json's schema", state.schema, "1")
    try require("run.seed", state.seed, "\(seed)")
    try require("model", state.modelFingerprint, trainer.model.fingerprint)
    try require("training.algorithm", state.algorithm, type(of: trainer.algorithm).name)
    try require(
      "reward.normalizationWindow", state.rewardNormalization?.window ?? 0,
      "\(trainer.learnedReward.normalization?.window ?? 0)")
    trainer.learnedReward.normalization = state.rewardNormalization
    try bindAdapter(trainer, from: checkpoint)
    try restoreOptimizer(trainer, from: checkpoint, step: state.optimizerStep)
    try trainer.algorithm.restore(state.algorithmState)
    trainer.version = state.version
    trainer.groupsTrained = state.groupsTrained
    trainer.groupsUnscored = state.groupsUnscored
  }

  /// The optimiser holds on to the adapter's parameters, so values are put into them, not new parameters in their place.
  private func bindAdapter(_ trainer: Trainer, from checkpoint: URL) throws {
    let adapter = try SafetensorsFile(checkpoint.appending(path: Self.adapterFile))
    for parameter in trainer.optimizer.parameters {
      guard adapter.shape(of: parameter.name) == parameter.value.shape else {
        throw TrainingError(
          "\(adapter.path): \(parameter.name): expected shape \(parameter.value.shape), found "
            + "\(adapter.shape(of: parameter.name).map { "\($0)" } ?? "nothing"); was training.loraRank changed?")
      }
      parameter.value = try adapter.tensor(parameter.name)
    }
  }

  private func restoreOptimizer(_ trainer: Trainer, from checkpoint: URL, step: Int) throws {
    let moments = try SafetensorsFile(checkpoint.appending(path: Self.optimizerFile))
    let parameters = trainer.optimizer.parameters
    let expected = parameters.flatMap { [("first." + $0.name, $0.value.shape), ("second." + $0.name, $0.value.shape)] }
    for (name, shape) in expected where moments.shape(of: name) != shape {
      throw TrainingError("\(moments.path): expected \(name) of shape \(shape), found another or none")
    }
    trainer.optimizer.restore(
      step: step,
      moments: try parameters.map { (try moments.tensor("first." + $0.name), try moments.tensor("second." + $0.name)) })
  }

  /// `latest` is a relative link, so that a run's folder can be moved.
  private func pointLatest(to name: String) throws {
    let link = folder.appending(path: ".partial-latest-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: name)
    try renameDurably(link, to: folder.appending(path: "latest"), in: folder)
  }
}
