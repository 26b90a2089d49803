// A run whose programs are all on this machine: its configuration with private endpoints, its folder, and its programs.

import Configuration
import Foundation
import Supervision

struct LocalRun {
  let configuration: Configuration
  let files: RunFiles
  private let plan: RunPlan
  private let endpoints: LocalEndpoints

  /// Reads the configuration and creates the run's folder.
  ///
  /// - Parameters:
  ///   - file: the YAML file.
  ///   - overrides: `SECTION.KEY=VALUE`, over the file.
  /// - Throws: an error that names the key, file or folder.
  init(_ file: URL, overrides: [String], actors: Int, rewardServers: Int, resumes: Bool) throws {
    endpoints = try LocalEndpoints()
    configuration = try Configuration(file: file, overrides: overrides, defaults: endpoints.defaults)
    files = RunFiles(folder: URL(filePath: configuration.run.folder))
    try files.prepare(resumes: resumes)
    plan = RunPlan(
      file: file, overrides: overrides, actors: actors, rewardServers: rewardServers, resumes: resumes,
      cores: ProcessInfo.processInfo.activeProcessorCount)
  }

  /// Runs all programs until the learner ends, a signal arrives or the time is up.
  ///
  /// - Throws: `CommandError` with the last lines of a program that failed.
  func train(minutes: Double?) throws -> Supervisor.Outcome {
    let display = RunDisplay(files, configuration, minutes: minutes)
    let external = configuration.reward.external.joined(separator: ", ")
    if !external.isEmpty {
      display.say(
        "reward servers of your own (\(external)) connect to "
          + configuration.network.routerBackends.joined(separator: ", "))
    }
    let supervisor = Supervisor(
      try plan.children(configuration, programs: RunPlan.programs), logs: files.logs, report: display.say)
    let outcome = try files.clearingFailedStart {
      try supervisor.run(until: minutes.map { Date(timeIntervalSinceNow: 60 * $0) }, tick: display.update)
    }
    display.finish()
    return outcome
  }
}
