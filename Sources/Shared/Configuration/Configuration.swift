// One YAML file configures all roles. Its sections are the structs of `Settings`. A key that the file does not set
// keeps its default; an unknown key is an error (ConfigurationFile.swift).

@_exported public import Settings

/// The whole configuration of a run. `Configuration(file:)` makes all its paths absolute.
package struct Configuration: Codable, Sendable, Equatable {
  package var run = RunSettings()
  package var sampling = SamplingSettings()
  package var reward = RewardSettings()
  package var training = TrainingSettings()
  package var branches = BranchSettings()
  package var gradient = GradientSettings()
  package var proxy = ProxySettings()
  package var lasro = LasroSettings()
  package var replay = ReplaySettings()
  package var network = NetworkSettings()
  package var checkpoint = CheckpointSettings()
  package var evaluation = EvaluationSettings()

  package init() {}

  var sections: [(name: String, section: any SettingsSection)] {
    [
      ("run", run), ("sampling", sampling), ("reward", reward), ("training", training), ("branches", branches),
      ("gradient", gradient), ("proxy", proxy), ("lasro", lasro), ("replay", replay), ("network", network),
      ("checkpoint", checkpoint), ("evaluation", evaluation),
    ]
  }

  package var method: MethodSettings {
    MethodSettings {
      $0.sampling = sampling
      $0.training = training
      $0.branches = branches
      $0.gradient = gradient
      $0.proxy = proxy
      $0.lasro = lasro
    }
  }
}
