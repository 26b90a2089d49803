// Checkpoints of a run. Each is a folder that is complete or absent: checkpoints/step-000120/ contains the adapter in
// the format of diffusers, the moments of the optimizer, and everything else that the next update depends on. `latest`
// is a link to the newest checkpoint, `best` to the one with the highest score on held-out prompts.

internal import Algorithms
internal import Basics
internal import Durable
internal import Foundation
internal import Layers
internal import Models

struct Checkpoints {
  let folder: URL
  /// The number of newest checkpoints that are kept.
  let keep: Int

  /// Creates the folder if needed, and removes the files of interrupted saves.
  init(runFolder: URL, keep: Int) throws {
    folder = runFolder.appending(path: "checkpoints")
    self.keep = keep
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix(".partial-") {
      try FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }

  func latest() throws -> URL? { try complete().last }

  private static func name(_ version: Int) -> String { "step-" + version.padded(to: 6) }

  /// Folders of checkpoints, oldest first.
  private func complete() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .compactMap { name in name.hasPrefix("step-") ? Int(name.dropFirst(5)).map { ($0, name) } : nil }
      .sorted { $0.0 < $1.0 }.map { folder.appending(path: $0.1) }
  }

  /// Writes a checkpoint to a temporary folder, syncs it, and renames it. Then updates `latest`, and `best` when the
  /// held-out score is the highest so far, and removes the oldest checkpoints, but never the best one.
  ///
  /// - Returns: the folder of the checkpoint.
  /// - Throws: when the disk is full or fails; no incomplete checkpoint is left under its final name.
  func save(_ image: CheckpointImage) throws -> URL {
    let name = Self.name(image.state.version), target = folder.appending(path: name)
    let partial = folder.appending(path: ".partial-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
    do {
      try image.write(to: partial)
      if FileManager.default.fileExists(atPath: target.path) { try remove(target) }
      try Disk.rename(partial.path, to: target.path)
    } catch {
      // The first error is reported; a folder that cannot be removed now is removed at the next start.
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
    try point("latest", to: name)
    if let score = image.heldOut, try best().map({ score.mean > $0.score.mean }) ?? true { try point("best", to: name) }
    let kept = try best()?.folder.lastPathComponent
    for old in try complete().dropLast(keep) where old.lastPathComponent != kept { try remove(old) }
    return target
  }

  /// The checkpoint with the highest held-out score; nil before any was measured.
  func best() throws -> (folder: URL, score: HeldOutScore)? {
    let link = folder.appending(path: "best").path
    guard let name = try? FileManager.default.destinationOfSymbolicLink(atPath: link) else { return nil }
    let target = folder.appending(path: name), file = target.appending(path: CheckpointImage.heldOutFile)
    // A user may have removed the checkpoint that the link points to.
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do { return (target, try JSONDecoder().decode(HeldOutScore.self, from: Data(contentsOf: file))) } catch {
      throw TrainingError("\(file.path): could not read the held-out score: \(error). Remove \(link) to start over.")
    }
  }

  /// Renames a checkpoint before its files are removed, so that a partly removed checkpoint never looks complete.
  private func remove(_ checkpoint: URL) throws {
    let gone = folder.appending(
      path: ".partial-old-\(checkpoint.lastPathComponent)-\(ProcessInfo.processInfo.processIdentifier)")
    try Disk.rename(checkpoint.path, to: gone.path)
    try FileManager.default.removeItem(at: gone)
  }

  /// Restores a trainer to a checkpoint, so that its next update is the same to the bit as without the interruption.
  ///
  /// - Returns: the number of groups that training had taken (`TrainingIntake.groupsSampled`).
  /// - Throws: `TrainingError` when the checkpoint belongs to another model, seed, method or adapter.
  func restore(_ trainer: Trainer, from checkpoint: URL, seed: UInt64) throws -> Int {
    let file = checkpoint.appending(path: CheckpointImage.stateFile)
    let state: CheckpointImage.State
    do { state = try JSONDecoder().decode(CheckpointImage.State.self, from: Data(contentsOf: file)) } catch {
      throw TrainingError(
        "\(file.path): could not read the state: \(error). Remove \(checkpoint.path) to resume from the previous one.")
    }
    func require(_ name: String, _ found: some Equatable & CustomStringConvertible, _ expected: String) throws {
      guard found.description == expected else {
        throw TrainingError(
          "\(checkpoint.path): expected \(name) \(expected) as in the configuration, found \(found); resume with the "
            + "configuration that the run was started with, or choose another run.folder")
      }
    }
    try require("schema", state.schema, "1")
    try require("run.seed", state.seed, "\(seed)")
    try require("model", state.modelFingerprint, trainer.policy.model.fingerprint)
    try require("training.algorithm", state.algorithm, trainer.method.name)
    try require(
      "reward.normalizationWindow", state.rewardNormalization?.window ?? 0,
      "\(trainer.learnedReward.normalization?.window ?? 0)")
    trainer.learnedReward.normalization = state.rewardNormalization
    try restoreOptimizer(trainer.policy.optimizer, from: checkpoint, step: state.optimizerStep)
    try trainer.method.restore(state.algorithmState)
    if !trainer.method.tensors.isEmpty {
      try trainer.method.restore(tensors: SafetensorsFile(checkpoint.appending(path: CheckpointImage.methodFile)))
    }
    trainer.version = state.version
    trainer.groupsTrained = state.groupsTrained
    trainer.groupsUnscored = state.groupsUnscored
    return state.groupsSampled
  }

  private func restoreOptimizer(_ optimizer: AdamW, from checkpoint: URL, step: Int) throws {
    let adapter = try SafetensorsFile(checkpoint.appending(path: CheckpointImage.adapterFile))
    let hint = "was training.loraRank or training.loraTargets changed?"
    guard adapter.names.count == optimizer.parameters.count else {
      throw TrainingError(
        "\(adapter.path): expected \(optimizer.parameters.count) tensors, found \(adapter.names.count); \(hint)")
    }
    try optimizer.restoreParameters(from: adapter, hint: hint)
    let moments = try SafetensorsFile(checkpoint.appending(path: CheckpointImage.optimizerFile))
    try optimizer.restoreMoments(step: step, from: moments, hint: hint)
  }

  /// Links are relative, so that the folder of a run can be moved.
  private func point(_ link: String, to name: String) throws {
    let partial = folder.appending(path: ".partial-\(link)-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createSymbolicLink(atPath: partial.path, withDestinationPath: name)
    try Disk.rename(partial.path, to: folder.appending(path: link).path)
  }
}
