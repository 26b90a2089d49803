// What each method needs of the configuration: said at start-up by every role, with the key's name. A method checks its
// own options again when it is made (Algorithms), which this floor cannot see.

extension Configuration {
  /// Names of the methods; Tests/RunTests holds them against the learner's registry.
  public static let algorithms = ["sdpo", "ddpo", "b2-diffurl"]

  /// Checks the method's needs.
  ///
  /// - Parameter require: takes a condition, the key, what is expected and what was found.
  func validateMethod(_ require: (Bool, String, String, Any) -> Void) {
    let compares = "because \(training.algorithm) compares trajectories of one beginning"
    switch training.algorithm {
    case "sdpo":
      require(sampling.groupSize % 2 == 0, "sampling.groupSize", "an even number, \(compares)", sampling.groupSize)
    case "b2-diffurl":
      require(sampling.groupSize >= 2, "sampling.groupSize", "at least 2, \(compares)", sampling.groupSize)
      require(["ddpo", "sdpo"].contains(branches.base), "branches.base", "ddpo or sdpo", branches.base)
      require(branches.shortestInterval > 0, "branches.shortestInterval", "at least 1", branches.shortestInterval)
      require(
        (branches.shortestInterval...max(branches.shortestInterval, sampling.steps)).contains(branches.longestInterval)
          && branches.longestInterval <= sampling.steps, "branches.longestInterval",
        "branches.shortestInterval (\(branches.shortestInterval)) to sampling.steps (\(sampling.steps))",
        branches.longestInterval)
      require(branches.stages > 0, "branches.stages", "at least 1", branches.stages)
      require(branches.history >= 0, "branches.history", "0 or more", branches.history)
      require(branches.positiveThreshold.isFinite, "branches.positiveThreshold", "a number", branches.positiveThreshold)
      require(branches.negativeThreshold.isFinite, "branches.negativeThreshold", "a number", branches.negativeThreshold)
    default: break
    }
  }
}
