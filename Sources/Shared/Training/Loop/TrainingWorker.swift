// The compute thread of the learner: waits for the groups of an epoch, trains, publishes the policy, logs, and saves
// checkpoints. It uses no sockets.

internal import Basics
package import Configuration
internal import Durable
internal import Engine
internal import Foundation
internal import Imaging
package import Logging
package import Messages
internal import Models
internal import Telemetry

/// Trains one run from its start or its newest checkpoint to its end. Not Sendable: create and run it on one thread.
package final class TrainingWorker {
  private let configuration: Configuration
  private let log: Logger
  private let folder: URL
  private let trainer: Trainer
  private let checkpoints: Checkpoints
  private let metrics: MetricsLog
  private let events: EventFile
  /// The policy version of the newest checkpoint.
  private var saved: Int?
  private var beforeSaving: () throws -> Void = {}
  /// The number in the checkpoint that the run was resumed from (`TrainingIntake.groupsSampled`).
  package private(set) var groupsSampled = 0

  /// Loads the model, and the newest checkpoint of the run folder if it has one.
  ///
  /// - Throws: when a file cannot be loaded, the checkpoint belongs to another run, or the folder cannot be written.
  package init(_ configuration: Configuration, log: Logger, sources: TrainingSources = .none) throws {
    self.configuration = configuration
    self.log = log
    folder = URL(filePath: configuration.run.folder)
    // First, so that a model that cannot be loaded leaves no folder behind.
    trainer = try Trainer(configuration, sources: sources)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    checkpoints = try Checkpoints(runFolder: folder, keep: configuration.checkpoint.keep)
    let latest = try checkpoints.latest()
    if let latest {
      groupsSampled = try checkpoints.restore(trainer, from: latest, seed: configuration.run.seed)
      saved = trainer.version
      log.info("resuming at epoch \(trainer.version) from \(latest.path)")
    }
    metrics = try MetricsLog(file: folder.appending(path: "metrics.jsonl"), resumingAt: trainer.version)
    events = try EventFile(folder: folder)
  }

  package var version: Int { trainer.version }
  /// Actors must have loaded a model with the same fingerprint.
  package var modelFingerprint: String { trainer.policy.model.fingerprint }

  /// The reason why a group cannot be trained on; nil when it can. Call it before a group is stored.
  package var objection: @Sendable (TrajectoryGroup) -> String? {
    let terms = trainer.terms
    return { terms.objection(to: $0) }
  }

  /// Runs until all epochs are trained or the intake stops the run, and saves a checkpoint in both cases.
  ///
  /// - Parameters:
  ///   - heldOut: measures the policy at every checkpoint, so that the best one is kept.
  ///   - beforeSaving: throws when this process may no longer write to the run folder; the error ends the training.
  /// - Throws: when training cannot continue; the last checkpoint stays.
  package func run(
    _ intake: any TrainingIntake, heldOut: (any HeldOutMeasure)? = nil,
    beforeSaving: @escaping () throws -> Void = {}
  ) throws {
    self.beforeSaving = beforeSaving
    trainer.policy.isStopping = { intake.isStopping }
    defer { trainer.policy.isStopping = { false } }
    try publish(to: intake)
    while trainer.version < configuration.training.epochs {
      let began = ContinuousClock.now
      // Taken before the groups are: this state is saved when the epoch is abandoned.
      let image = try image(intake)
      guard let groups = try intake.groups(ofEpoch: trainer.version) else { break }
      let came = ContinuousClock.now
      var report: EpochReport
      do { report = try trainer.train(groups, stored: intake.stored) } catch is Interruption {
        log.info("epoch \(image.state.version) is abandoned; it is trained again when the run continues")
        return try save(image)
      }
      (report.waitSeconds, report.trainSeconds) = ((came - began).seconds, (.now - came).seconds)
      try publish(to: intake)
      let saves = trainer.version % configuration.checkpoint.every == 0
      let score = saves ? try measured(heldOut) : nil
      report.ofIntake = intake.metrics
      report.stalenessLimit = configuration.training.maximumStaleness
      if let score {
        report.ofIntake.merge(["held_out/mean": score.mean, "held_out/standard_error": score.standardError]) { $1 }
      }
      try recordWhileTraining(report, groups)
      if saves { try saveWhileTraining(intake, score) }
    }
    try save(image(intake))
  }

  private func image(_ intake: any TrainingIntake) throws -> CheckpointImage {
    try CheckpointImage(
      trainer, seed: configuration.run.seed, groupsSampled: max(intake.groupsSampled, groupsSampled))
  }

  private func measured(_ heldOut: (any HeldOutMeasure)?) throws -> HeldOutScore? {
    do {
      let score = try heldOut?.measure(trainer.policy)
      if let score {
        log.info("held-out prompts: \(score.mean) ± \(score.standardError) over \(score.pictures) pictures")
      }
      return score
    } catch is Interruption { return nil }
  }

  /// Saves a checkpoint. On a full disk training continues with the previous checkpoint.
  private func saveWhileTraining(_ intake: any TrainingIntake, _ score: HeldOutScore?) throws {
    var image = try image(intake)
    image.heldOut = score
    do { try save(image) } catch let error where isOutOfSpace(error) {
      log.error("the checkpoint after epoch \(trainer.version - 1) was not saved: \(error); training continues")
    }
  }

  /// Logs an epoch. On a full disk its metrics are lost, and training continues.
  private func recordWhileTraining(_ report: EpochReport, _ groups: [TrajectoryGroup]) throws {
    do { try record(report, groups) } catch let error where isOutOfSpace(error) {
      log.error("the metrics of epoch \(report.epoch) were not written: \(error); training continues")
    }
  }

  private func publish(to intake: any TrainingIntake) throws {
    let (bytes, tensorCount) = trainer.encodedPolicy()
    try intake.publish(version: trainer.version, bytes: bytes, tensorCount: tensorCount)
  }

  private func save(_ image: CheckpointImage) throws {
    guard saved != image.state.version else { return }
    try beforeSaving()
    let checkpoint = try checkpoints.save(image)
    saved = image.state.version
    log.info("saved the checkpoint \(checkpoint.path)")
  }

  /// Larger errors mean that actor and learner compute different probabilities.
  private static let freshRatioTolerance = 1e-4

  private func record(_ report: EpochReport, _ groups: [TrajectoryGroup]) throws {
    log.info("\(report.summary)")
    if report.groups == 0 {
      log.warning(
        """
        epoch \(report.epoch): nothing was trained and the policy is unchanged, because all \(report.unscored) groups \
        were left out: \(report.reasonLeftOut ?? "the epoch has no groups")
        """)
    }
    if let error = report.freshRatioError, !(error <= Self.freshRatioTolerance) {
      log.warning(
        """
        epoch \(report.epoch): expected ratios of fresh data within \(Self.freshRatioTolerance) of 1 before the first \
        update, found an error of \(error): actors and learner compute different probabilities; check that they run \
        the same version of stepwise with the same model
        """)
    }
    try metrics.append(step: report.epoch, report.metrics)
    try events.append(step: report.epoch, scalars: report.metrics)
    let every = configuration.evaluation.every
    if every > 0, report.epoch % every == 0 { try drawSamples(report.epoch, groups) }
  }

  /// Draws the last clean states of the eight groups with the lowest numbers.
  private func drawSamples(_ epoch: Int, _ groups: [TrajectoryGroup]) throws {
    let shown = groups.sorted { $0.number < $1.number }.prefix(8)
    let cells = shown.flatMap { group in
      group.trajectories.map { trajectory in
        let last = trajectory.cleanStates.slice(axis: 0, trajectory.stepCount - 1..<trajectory.stepCount)
        let picture = Image.batch(Tape.withoutGradients { trainer.policy.model.decode(last) }, range: .signed)[0]
        return ContactSheet.Cell(picture, caption: group.prompt)
      }
    }
    guard !cells.isEmpty else { return }
    let sheet = try ContactSheet(title: "epoch \(epoch)", cells, columns: 4).rendered()
    let samples = folder.appending(path: "samples")
    try FileManager.default.createDirectory(at: samples, withIntermediateDirectories: true)
    try sheet.writePNG(to: samples.appending(path: "epoch-\(epoch).png"))
    try events.append(step: epoch, tag: "samples", image: sheet)
  }
}
