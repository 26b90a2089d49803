// Checkpoints: a folder each, complete or absent. checkpoints/step-000120/ holds the adapter as diffusers reads it, the
// optimiser's moments, and everything else that the next update depends on; `latest` names the newest, `best` the one
// that scored highest on held-out prompts.

internal import Algorithms
internal import Basics
internal import Durable
internal import Engine
internal import Foundation
internal import Layers
internal import Models

/// The checkpoints of one run.
struct Checkpoints {
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

  private static func name(_ version: Int) -> String { "step-" + version.padded(to: 6) }

  /// Folders of checkpoints, the oldest first: a folder under its name is complete.
  private func complete() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .compactMap { name in name.hasPrefix("step-") ? Int(name.dropFirst(5)).map { ($0, name) } : nil }
      .sorted { $0.0 < $1.0 }.map { folder.appending(path: $0.1) }
  }

  /// Writes a checkpoint beside its place, syncs it, renames it into place, points `latest` to it, and `best` where it
  /// is better on held-out prompts than any before; then lets the oldest go, but never the best.
  ///
  /// - Returns: its folder.
  /// - Throws: when the disk is full or gone; nothing half-written is left under a checkpoint's name.
  func save(_ image: CheckpointImage) throws -> URL {
    let name = Self.name(image.state.version), target = folder.appending(path: name)
    let partial = folder.appending(path: ".partial-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
    do {
      try image.write(to: partial)
      if FileManager.default.fileExists(atPath: target.path) { try remove(target) }
      try Disk.rename(partial.path, to: target.path)
    } catch {
      // The first error is the one to report; what cannot be removed now is cleared away at the next start.
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
    try point("latest", to: name)
    if let score = image.heldOut, try best().map({ score.mean > $0.score.mean }) ?? true { try point("best", to: name) }
    let kept = try best()?.folder.lastPathComponent
    for old in try complete().dropLast(keep) where old.lastPathComponent != kept { try remove(old) }
    return target
  }

  /// The checkpoint that is best on held-out prompts; nil before any was measured.
  func best() throws -> (folder: URL, score: HeldOutScore)? {
    let link = folder.appending(path: "best").path
    guard let name = try? FileManager.default.destinationOfSymbolicLink(atPath: link) else { return nil }
    let target = folder.appending(path: name), file = target.appending(path: CheckpointImage.heldOutFile)
    // A link whose checkpoint was removed by hand points to nothing.
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do { return (target, try JSONDecoder().decode(HeldOutScore.self, from: Data(contentsOf: file))) } catch {
      throw TrainingError("\(file.path): expected a held-out score: \(error). Remove \(link) to begin anew.")
    }
  }

  /// Takes a folder out of sight in one instant: half a checkpoint must not look whole.
  private func remove(_ checkpoint: URL) throws {
    let gone = folder.appending(
      path: ".partial-old-\(checkpoint.lastPathComponent)-\(ProcessInfo.processInfo.processIdentifier)")
    try Disk.rename(checkpoint.path, to: gone.path)
    try FileManager.default.removeItem(at: gone)
  }

  /// Puts a trainer back to a checkpoint: its next update is bit for bit the one that would have come.
  ///
  /// - Returns: groups that training had taken by then.
  /// - Throws: `TrainingError` when the checkpoint belongs to another model, seed, method or adapter.
  func restore(_ trainer: Trainer, from checkpoint: URL, seed: UInt64) throws -> Int {
    let file = checkpoint.appending(path: CheckpointImage.stateFile)
    let state: CheckpointImage.State
    do { state = try JSONDecoder().decode(CheckpointImage.State.self, from: Data(contentsOf: file)) } catch {
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
    try require("model", state.modelFingerprint, trainer.policy.model.fingerprint)
    try require("training.algorithm", state.algorithm, trainer.method.name)
    try require(
      "reward.normalizationWindow", state.rewardNormalization?.window ?? 0,
      "\(trainer.learnedReward.normalization?.window ?? 0)")
    trainer.learnedReward.normalization = state.rewardNormalization
    try bindAdapter(trainer, from: checkpoint)
    try restoreOptimizer(trainer, from: checkpoint, step: state.optimizerStep)
    try trainer.method.restore(state.algorithmState)
    if !trainer.method.tensors.isEmpty {
      try trainer.method.restore(tensors: SafetensorsFile(checkpoint.appending(path: CheckpointImage.methodFile)))
    }
    trainer.version = state.version
    trainer.groupsTrained = state.groupsTrained
    trainer.groupsUnscored = state.groupsUnscored
    return state.groupsSampled
  }

  /// The optimiser holds on to the adapter's parameters, so values are put into them, not new parameters in their
  /// place.
  private func bindAdapter(_ trainer: Trainer, from checkpoint: URL) throws {
    let adapter = try SafetensorsFile(checkpoint.appending(path: CheckpointImage.adapterFile))
    let parameters = trainer.policy.optimizer.parameters
    guard adapter.names.count == parameters.count else {
      throw TrainingError(
        "\(adapter.path): expected \(parameters.count) tensors, found \(adapter.names.count); "
          + "was training.loraTargets changed?")
    }
    for parameter in parameters {
      guard adapter.shape(of: parameter.name) == parameter.value.shape else {
        throw TrainingError(
          "\(adapter.path): \(parameter.name): expected shape \(parameter.value.shape), found "
            + "\(adapter.shape(of: parameter.name).map { "\($0)" } ?? "nothing"); was training.loraRank or "
            + "training.loraTargets changed?")
      }
      parameter.value = try adapter.tensor(parameter.name)
    }
  }

  private func restoreOptimizer(_ trainer: Trainer, from checkpoint: URL, step: Int) throws {
    let moments = try SafetensorsFile(checkpoint.appending(path: CheckpointImage.optimizerFile))
    let parameters = trainer.policy.optimizer.parameters
    let expected = parameters.flatMap { [("first." + $0.name, $0.value.shape), ("second." + $0.name, $0.value.shape)] }
    for (name, shape) in expected where moments.shape(of: name) != shape {
      throw TrainingError("\(moments.path): expected \(name) of shape \(shape), found another or none")
    }
    trainer.policy.optimizer.restore(
      step: step,
      moments: try parameters.map { (try moments.tensor("first." + $0.name), try moments.tensor("second." + $0.name)) })
  }

  /// `latest` and `best` are relative links, so that a run's folder can be moved.
  private func point(_ link: String, to name: String) throws {
    let partial = folder.appending(path: ".partial-\(link)-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createSymbolicLink(atPath: partial.path, withDestinationPath: name)
    try Disk.rename(partial.path, to: folder.appending(path: link).path)
  }
}
