// Checks what the types cannot say: the range of each value (`SettingsSection.check`), what the method needs
// (`MethodSettings`), and values of different sections that contradict each other.

extension Configuration {
  /// Checks every value that can be checked without opening files.
  ///
  /// - Parameter source: names the configuration in the error.
  /// - Throws: `ConfigurationError`, one line per problem.
  package func validate(source: String = "the configuration") throws {
    var problems = SettingProblems()
    for (_, section) in sections { section.check(&problems) }
    method.check(&problems)
    problems.require(
      reward.batchDelay < min(network.silenceLimit, network.scoreDeadline), "reward.batchDelay",
      "less than network.silenceLimit (\(network.silenceLimit)) and network.scoreDeadline (\(network.scoreDeadline)), "
        + "because otherwise scores arrive too late and no group is trained on", reward.batchDelay)
    guard problems.lines.isEmpty else {
      throw ConfigurationError(
        problems.lines.map { "\(source): \($0)" }.joined(separator: "\n")
          + "\nCorrect the file; docs/configuration.md explains each key.")
    }
  }
}
