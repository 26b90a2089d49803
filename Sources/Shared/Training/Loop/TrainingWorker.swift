// The learner's compute thread: wait for an epoch's groups, train, publish, log, checkpoint. It knows no sockets.

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

/// Trains one run from its beginning or its newest checkpoint to its end.
///
/// Not Sendable: make and run it on one thread, as a whole model takes part.
package final class TrainingWorker {
  private let configuration: Configuration
  private let log: Logger
  private let folder: URL
  private let trainer: Trainer
  private let checkpoints: Checkpoints
  private let metrics: MetricsLog
  private let events: EventFile
  /// Version of the newest checkpoint.
  private var saved: Int?
  /// Makes sure that the folder is still this learner's.
  private var beforeSaving: () throws -> Void = {}
  /// Groups that training had taken when the run's folder was opened.
  package private(set) var groupsSampled = 0

  /// Loads the model, and the newest checkpoint of the run's folder where there is one.
  ///
  /// - Parameter sources: rewards with gradients and stored groups, for methods that need them.
  /// - Throws: when a part cannot be loaded, the checkpoint belongs to another run, or the folder cannot be written.
  package init(_ configuration: Configuration, log: Logger, sources: TrainingSources = .none) throws {
    self.configuration = configuration
    self.log = log
    folder = URL(filePath: configuration.run.folder)
    // A model that cannot be loaded leaves no folder behind.
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

  /// Epochs trained; the version of the policy.
  package var version: Int { trainer.version }
  /// What actors must have loaded too.
  package var modelFingerprint: String { trainer.policy.model.fingerprint }

  /// Why a group cannot be trained on; nil when it can. Ask it before a group is stored.
  package var objection: @Sendable (TrajectoryGroup) -> String? {
    let terms = trainer.terms
    return { terms.objection(to: $0) }
  }

  /// Runs until all epochs are trained or the intake says stop; a checkpoint is there at the end in both cases.
  ///
  /// - Throws: when training cannot go on; the last checkpoint stays.
  package func run(_ intake: any TrainingIntake) throws { try run(intake, heldOut: nil, beforeSaving: {}) }

  /// - Parameters:
  ///   - heldOut: measures the policy at every checkpoint, so that the best is kept.
  ///   - beforeSaving: what it throws ends the training instead of saving.
  package func run(
    _ intake: any TrainingIntake, heldOut: (any HeldOutMeasure)?, beforeSaving: @escaping () throws -> Void
  ) throws {
    self.beforeSaving = beforeSaving
    trainer.policy.isStopping = { intake.isStopping }
    defer { trainer.policy.isStopping = { false } }
    try publish(to: intake)
    while trainer.version < configuration.training.epochs {
      let began = ContinuousClock.now
      // Before the epoch's groups are taken: this is what is saved when the epoch is given up.
      let image = try image(intake)
      guard let groups = try intake.groups(ofEpoch: trainer.version) else { break }
      let came = ContinuousClock.now
      var report: EpochReport
      do { report = try trainer.train(groups, stored: intake.stored) } catch is Interruption {
        log.info("epoch \(image.state.version) is given up; it is trained again when the run goes on")
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
      try tellWhileTraining(report, groups)
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
      if let score { log.info("held-out prompts: \(score.mean) ± \(score.standardError) over \(score.pictures) pictures") }
      return score
    } catch is Interruption { return nil }
  }

  /// Saves, and goes on without where there is no room: the checkpoint before it stays, and the next is tried in turn.
  private func saveWhileTraining(_ intake: any TrainingIntake, _ score: HeldOutScore?) throws {
    var image = try image(intake)
    image.heldOut = score
    do { try save(image) } catch let error where isOutOfSpace(error) {
      log.error("checkpoint of epoch \(trainer.version): \(error); training goes on, free some room")
    }
  }

  /// Tells, and goes on without where there is no room: the metrics of this epoch are lost, the run is not.
  private func tellWhileTraining(_ report: EpochReport, _ groups: [TrajectoryGroup]) throws {
    do { try tell(report, groups) } catch let error where isOutOfSpace(error) {
      log.error("metrics of epoch \(report.epoch): \(error); training goes on without them, free some room")
    }
  }

  private func publish(to intake: any TrainingIntake) throws {
    let (bytes, tensorCount) = trainer.encodedPolicy()
    try intake.publish(version: trainer.version, bytes: bytes, tensorCount: tensorCount)
  }

  private func save(_ image: CheckpointImage) throws {
    guard saved != image.state.version else { return }
    try beforeSaving()
    let place = try checkpoints.save(image)
    saved = image.state.version
    log.info("checkpoint \(place.path)")
  }

  /// Ratios of fresh data further from 1 than this mean that actor and learner do not compute alike.
  private static let freshRatioTolerance = 1e-4

  private func tell(_ report: EpochReport, _ groups: [TrajectoryGroup]) throws {
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
        epoch \(report.epoch): before any update the ratio of fresh data is off 1 by \(error), \
        expected at most \(Self.freshRatioTolerance): actors and learner do not compute alike; \
        check that they run one version with one model
        """)
    }
    try metrics.append(step: report.epoch, report.metrics)
    try events.append(step: report.epoch, scalars: report.metrics)
    let every = configuration.evaluation.every
    if every > 0, report.epoch % every == 0 { try drawSamples(report.epoch, groups) }
  }

  /// Pictures of the first groups' last clean states, in the order of their numbers.
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
