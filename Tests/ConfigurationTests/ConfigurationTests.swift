// What a file may say, what it may not, and how it is told.

import Configuration
import Foundation
import Testing

@Suite("Configuration")
struct ConfigurationTests {
  let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("An empty file gives the defaults")
  func empty() throws {
    #expect(try Configuration(yaml: "") == Configuration())
    #expect(try Configuration(yaml: "training:\n") == Configuration())
  }

  @Test("What the file says replaces defaults, the rest stays")
  func overlay() throws {
    let found = try Configuration(
      yaml: """
        run: {seed: 18446744073709551615}
        training: {learningRate: 3e-4, epochs: 7}
        reward:
          weights: {jpeg-compressibility: 2}
        sampling:
          prompts: [a cat, "yes"]
        """)
    #expect(found.run.seed == .max)
    #expect(found.training.learningRate == 3e-4)
    #expect(found.training.epochs == 7)
    #expect(found.training.beta2 == 0.999)
    #expect(found.reward.weights == ["jpeg-compressibility": 2])
    #expect(try found.trainingPrompts() == ["a cat", "yes"])
  }

  @Test("The complete YAML of a configuration reads back as the same configuration")
  func roundTrip() throws {
    var configuration = Configuration()
    configuration.training.learningRate = 1.2345678e-5
    configuration.training.logRatioClip = 0.1
    configuration.reward.weights = ["b": 0.5, "a": -2]
    configuration.sampling.prompts = ["true", "a: b", "ünïcode", "#5"]
    configuration.run.folder = "/x y/z"
    let yaml = try configuration.encodeYAML()
    #expect(try Configuration(yaml: yaml) == configuration)
    #expect(try configuration.encodeYAML() == yaml)
    for key in try Configuration.keys {
      #expect(yaml.contains("\(key.split(separator: ".")[1]):"), "\(key)")
    }
  }

  @Test(
    "An unknown key names its line and the nearest known key",
    arguments: [
      ("training:\n  epoch: 3\n", "x.yaml:2: unknown key training.epoch; the nearest known key is training.epochs"),
      ("trainig:\n  epochs: 3\n", "unknown key trainig; the nearest known key is training"),
      ("run:\n  steps: 3\n", "unknown key run.steps; the nearest known key is sampling.steps"),
      ("run:\n  Seed: 3\n", "nearest known key is run.seed"),
    ])
  func unknownKey(yaml: String, expected: String) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml, source: "x.yaml") })
    #expect(text.contains(expected), "\(text)")
  }

  @Test(
    "A known key in the wrong place is told where it belongs",
    arguments: [
      ("training.epochs: 3\n", "x.yaml:1: expected epochs: inside the section training:"),
      (
        "sampling:\n  training:\n    epochs: 3\n",
        "expected the section training at the top level, found it inside sampling"
      ),
      ("training:\n  training.epochs: 3\n", "expected epochs: inside the section training:"),
      ("training:\n  epochs: 3\ntraining:\n  lambda: 1\n", "training: the key occurs more than once"),
    ])
  func wrongPlace(yaml: String, expected: String) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml, source: "x.yaml") })
    #expect(text.contains(expected) && !text.contains("nearest"), "\(text)")
  }

  @Test(
    "A value outside a closed set names the key, the value, the allowed values and the nearest one",
    arguments: [
      (
        "gradient: {sampling: on_policy}",
        ["gradient.sampling", "\"on_policy\"", "reward+gamma", "nearest is on-policy)"]
      ),
      ("gradient: {source: serve}", ["gradient.source", "server, proxy", "nearest is server)"]),
      ("gradient: {estimate: onestep}", ["gradient.estimate", "nearest is one-step)"]),
      ("proxy: {optimism: ucbs}", ["proxy.optimism", "nearest is ucb)"]),
      ("branches: {base: lasro}", ["branches.base", "ddpo, sdpo"]),
      ("sampling: {timestepSpacing: trail}", ["sampling.timestepSpacing", "model, trailing, leading"]),
      ("training: {algorithm: ppo}", ["training.algorithm", "b2-diffurl", "\"ppo\""]),
      ("training: {algorithm: [sdpo]}", ["training.algorithm", "b2-diffurl", "a list or keys"]),
    ])
  func closedSets(yaml: String, parts: [String]) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml, source: "x.yaml") })
    for part in parts { #expect(text.contains(part), "\(text)") }
  }

  @Test(
    "A value of the wrong kind is named with what was expected and found",
    arguments: [
      ("training:\n  epochs: many\n", ["training.epochs", "Int", "many"]),
      ("sampling:\n  prompts: {a: b}\n", ["sampling.prompts"]),
      ("training: 5\n", ["training", "5"]),
      ("- 1\n", ["sections"]),
      ("training: [\n", ["expected YAML"]),
      ("reward:\n  weights: {alignment: high}\n", ["reward.weights.alignment", "high"]),
    ])
  func wrongKind(yaml: String, parts: [String]) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml, source: "x.yaml") })
    #expect(text.contains("x.yaml"))
    for part in parts { #expect(text.contains(part), "\(text)") }
  }

  @Test(
    "A value out of range is refused with the range",
    arguments: [
      "sampling: {steps: 0}", "sampling: {eta: 0}", "sampling: {groupSize: 3}", "sampling: {guidanceScale: .nan}",
      "reward: {weights: {}}", "reward: {weights: {alignment: .inf}}",
      "training: {learningRate: -1}", "training: {statisticsBufferSize: 1}", "training: {statisticsMinimumCount: 40}", "network: {learner: localhost}",
      "network: {routers: []}", "network: {silenceLimit: 1}", "checkpoint: {keep: 0}", "run: {folder: ''}",
    ])
  func outOfRange(yaml: String) throws {
    let key = yaml.split(separator: ":")[0] + "." + yaml.split(separator: "{")[1].split(separator: ":")[0]
    let text = try #require(message { _ = try Configuration(yaml: yaml) })
    #expect(text.contains(key), "\(text)")
    #expect(text.contains("expected") && text.contains("found"))
  }

  @Test(
    "What a method needs and the configuration lacks is refused by its key",
    arguments: [
      ("sampling.groupSize", "{training: {algorithm: sdpo}, sampling: {groupSize: 1}}"),
      ("sampling.groupSize", "{training: {algorithm: lasro}, sampling: {groupSize: 1}}"),
      ("sampling.groupSize", "{training: {algorithm: b2-diffurl}, sampling: {groupSize: 1, steps: 20}}"),
      ("branches.longestInterval", "{training: {algorithm: b2-diffurl}}"),
      ("gradient.consistencyModel", "{training: {algorithm: sqdf}, gradient: {estimate: consistency}}"),
      ("gradient.divergenceWeight", "{training: {algorithm: draft-kl}, gradient: {divergenceWeight: 0}}"),
      ("gradient.differentiatedSteps", "{training: {algorithm: draft-k}, gradient: {differentiatedSteps: 5}}"),
      ("lasro.heldOutEvery", "{training: {algorithm: lasro}, lasro: {heldOutEvery: 1}}"),
      ("sampling.eta", "{training: {algorithm: ddpo}, sampling: {eta: 0}}"),
    ])
  func methodNeeds(key: String, yaml: String) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml) })
    #expect(text.contains(key) && text.contains("expected") && text.contains("found"), "\(text)")
  }

  @Test(
    "Settings that would train nothing are refused with the reason",
    arguments: [
      ("sampling.steps", "no effect on the reward", "{sampling: {steps: 1}}"),
      ("sampling.steps", "no effect on the reward", "{training: {algorithm: ddpo}, sampling: {steps: 1}}"),
      (
        "training.finalStep", "no other step",
        "{training: {algorithm: sqdf, finalStep: false}, sampling: {steps: 1}}"
      ),
      (
        "training.discount", "the weight 0",
        "{training: {algorithm: sqdf, finalStep: false, discount: 0}}"
      ),
      (
        "sampling.groupSize", "advantage",
        "{training: {algorithm: ddpo, normalizesPerPrompt: false}, sampling: {groupsPerEpoch: 1, groupSize: 1}}"
      ),
      (
        "branches.longestInterval", "no effect on the reward",
        "{training: {algorithm: b2-diffurl}, branches: {shortestInterval: 1, longestInterval: 1}}"
      ),
      (
        "branches.shortestInterval", "would train no step",
        "{training: {algorithm: b2-diffurl, finalStep: false}, branches: {shortestInterval: 1, longestInterval: 3}}"
      ),
      (
        "branches.positiveThreshold", "can reach",
        """
        {training: {algorithm: b2-diffurl}, sampling: {groupsPerEpoch: 1, groupSize: 2},
        branches: {base: sdpo, shortestInterval: 2, longestInterval: 4, history: 0, positiveThreshold: 0.8}}
        """
      ),
      ("lasro.warmupEpochs", "not trained", "{training: {algorithm: lasro, epochs: 5}}"),
      (
        "lasro.heldOutEvery", "no held-out group",
        "{training: {algorithm: lasro}, sampling: {groupsPerEpoch: 2}, gradient: {replayEpochs: 1}}"
      ),
      ("reward.batchDelay", "no group is trained on", "{reward: {batchDelay: 3}, network: {scoreDeadline: 2}}"),
    ])
  func trainsNothing(key: String, reason: String, yaml: String) throws {
    let text = try #require(message { _ = try Configuration(yaml: yaml) })
    #expect(text.contains(key) && text.contains(reason), "\(text)")
  }

  @Test("All problems are reported at once")
  func severalProblems() throws {
    let text = try #require(message { _ = try Configuration(yaml: "sampling: {steps: 0, eta: 2}") })
    #expect(text.contains("sampling.steps") && text.contains("sampling.eta"))
  }

  @Test("Overrides come last, and are checked as the file is")
  func overrides() throws {
    let found = try Configuration(
      file: nil,
      overrides: [
        "training.epochs=3", "training.epochs=4", "reward.weights={jpeg-compressibility: 1}",
        "sampling.prompts=[a dog, a cat]", "run.folder=here",
      ])
    #expect(found.training.epochs == 4)
    #expect(found.reward.weights == ["jpeg-compressibility": 1])
    #expect(found.sampling.prompts == ["a dog", "a cat"])
    #expect(found.run.folder == FileManager.default.currentDirectoryPath + "/here")
    for (option, part) in [
      ("training.epoch=3", "training.epochs"), ("training.epochs", "SECTION.KEY=VALUE"), ("epochs=3", "SECTION.KEY"),
      ("training.epochs=x", "Int"), ("training.epochs=0", "above 0"),
    ] {
      let text = try #require(message { _ = try Configuration(file: nil, overrides: [option]) })
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test("Paths in a file are relative to the file's folder")
  func paths() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "run.yaml")
    try "run: {model: ../m, folder: /abs/f}\nsampling: {promptsFile: p.txt}\nreward: {models: {hpsv2: h, aesthetic: /a}}\n".write(
      to: file, atomically: true, encoding: .utf8)
    try "# a comment\n a cat \n\na dog\na cat\n".write(
      to: folder.appending(path: "p.txt"), atomically: true, encoding: .utf8)
    let found = try Configuration(file: file)
    #expect(found.run.model == folder.deletingLastPathComponent().appending(path: "m").standardizedFileURL.path)
    #expect(found.run.folder == "/abs/f")
    #expect(found.reward.models == ["hpsv2": folder.appending(path: "h").standardizedFileURL.path, "aesthetic": "/a"])
    #expect(try found.trainingPrompts() == ["a cat", "a dog"])
    let lacking = try #require(message { _ = try found.evaluationPrompts() })
    #expect(lacking.contains("evaluation.prompts"))
  }

  @Test("Rewards that contradict each other are refused with the key", arguments: [
    ("shadow: [alignment]", "reward.shadow"), ("external: [beauty]", "reward.external"),
    ("normalizationWindow: 1", "reward.normalizationWindow"), ("batchDelay: 20", "reward.batchDelay"),
    ("requestsAtOnce: 0", "reward.requestsAtOnce"),
  ])
  func rewards(yaml: String, key: String) throws {
    let text = try #require(message { _ = try Configuration(yaml: "reward: {\(yaml)}") })
    #expect(text.contains(key), "\(text)")
  }

  @Test("A missing file is named")
  func missing() throws {
    let text = try #require(message { _ = try Configuration(file: URL(filePath: "/nowhere/x.yaml")) })
    #expect(text.contains("/nowhere/x.yaml"))
  }

  @Test(
    "Every preset is valid and has its prompts",
    arguments: try presetNames())
  func presets(name: String) throws {
    let found = try Configuration(file: repository.appending(path: "configs/\(name).yaml"))
    let training = Set(try found.trainingPrompts())
    #expect(training.count >= 40)
    #expect(training.isDisjoint(with: try found.evaluationPrompts()))
    #expect(found.run.model.hasPrefix(repository.path))
  }

  private func message(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch { return "\(error)" }
  }
}

/// Names of all presets.
private func presetNames() throws -> [String] {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "configs")
  return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
    .map { String($0.dropLast(5)) }
}

@Suite struct ConfigurationPageTests {
  private let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test func `docs/configuration.md is what the generator makes`() throws {
    let file = repository.appending(path: "docs/configuration.md")
    let made = try ConfigurationPage(repository: repository).markdown
    if ProcessInfo.processInfo.environment["STEPWISE_WRITE_CONFIGURATION_PAGE"] != nil {
      try made.write(to: file, atomically: true, encoding: .utf8)
    }
    let found = try String(contentsOf: file, encoding: .utf8)
    let difference = zip(made.split(separator: "\n"), found.split(separator: "\n")).first { $0 != $1 }
    #expect(
      made == found,
      """
      docs/configuration.md differs from the settings in Sources/Shared/Settings; run \
      scripts/generate-configuration-docs.sh. The first difference: expected \(difference?.0 ?? "another length"), \
      found \(difference?.1 ?? "")
      """)
  }

  @Test func `the page lists every key and no other`() throws {
    let listed = try ConfigurationPage(repository: repository).markdown.split(separator: "\n")
      .filter { $0.hasPrefix("| `") }.map { String($0.dropFirst(3).prefix { $0 != "`" }) }
    #expect(try listed == Configuration.keys)
  }
}
