// Valid configurations and their values, and the errors of invalid ones.

import Configuration
import Fixtures
import Foundation
import Testing

/// The error of a configuration; nil when it is valid.
private func problem(_ body: () throws -> Configuration) -> String? {
  do {
    _ = try body()
    return nil
  } catch { return "\(error)" }
}

/// Expects that a configuration is refused, with all `parts` in the error.
private func expectRefusal(_ yaml: String, _ parts: [String]) throws {
  let text = try #require(problem { try Configuration(yaml: yaml, source: "x.yaml") })
  for part in parts + ["x.yaml"] { #expect(text.contains(part), "\(text)") }
}

@Suite struct ConfigurationTests {
  @Test func `an empty file gives the defaults`() throws {
    #expect(try Configuration(yaml: "") == Configuration())
    #expect(try Configuration(yaml: "training:\n") == Configuration())
  }

  @Test func `values in the file replace the defaults`() throws {
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

  @Test func `the complete YAML of a configuration is read as the same configuration`() throws {
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
    arguments: [
      ("training:\n  epoch: 3\n", "x.yaml:2: unknown key training.epoch; the nearest known key is training.epochs"),
      ("trainig:\n  epochs: 3\n", "unknown key trainig; the nearest known key is training"),
      ("run:\n  steps: 3\n", "unknown key run.steps; the nearest known key is sampling.steps"),
      ("run:\n  Seed: 3\n", "nearest known key is run.seed"),
    ])
  func `the error for an unknown key names its line and the nearest known key`(yaml: String, part: String) throws {
    try expectRefusal(yaml, [part])
  }

  @Test(
    arguments: [
      ("training.epochs: 3\n", "x.yaml:1: the key training.epochs cannot be written in one line. Write `epochs:` below"),
      (
        "sampling:\n  training:\n    epochs: 3\n",
        "expected the section training at the top level, found it inside sampling"
      ),
      ("training:\n  training.epochs: 3\n", "Write `epochs:` below the section `training:`"),
      ("training:\n  epochs: 3\ntraining:\n  lambda: 1\n", "training: the key occurs more than once"),
    ])
  func `the error for a known key in the wrong place says where it belongs`(yaml: String, part: String) throws {
    try expectRefusal(yaml, [part])
  }

  @Test(
    arguments: [
      ("gradient: {sampling: on_policy}", ["gradient.sampling", "\"on_policy\"", "reward+gamma", "is on-policy)"]),
      ("gradient: {source: serve}", ["gradient.source", "server, proxy", "nearest is server)"]),
      ("gradient: {estimate: onestep}", ["gradient.estimate", "nearest is one-step)"]),
      ("proxy: {optimism: ucbs}", ["proxy.optimism", "nearest is ucb)"]),
      ("branches: {base: lasro}", ["branches.base", "ddpo, sdpo"]),
      ("sampling: {timestepSpacing: trail}", ["sampling.timestepSpacing", "model, trailing, leading"]),
      ("training: {algorithm: ppo}", ["training.algorithm", "b2-diffurl", "\"ppo\""]),
      ("training: {algorithm: [sdpo]}", ["training.algorithm", "b2-diffurl", "a list or keys"]),
    ])
  func `the error for an unknown choice names the key, the allowed values and the nearest one`(
    yaml: String, parts: [String]
  ) throws {
    try expectRefusal(yaml, parts)
  }

  @Test(
    arguments: [
      ("training:\n  epochs: many\n", ["training.epochs", "Int", "many"]),
      ("sampling:\n  prompts: {a: b}\n", ["sampling.prompts"]),
      ("training: 5\n", ["training", "5"]),
      ("- 1\n", ["sections"]),
      ("training: [\n", ["expected YAML"]),
      ("reward:\n  weights: {alignment: high}\n", ["reward.weights.alignment", "high"]),
    ])
  func `the error for a value of the wrong type names the key, the type and the value`(
    yaml: String, parts: [String]
  ) throws {
    try expectRefusal(yaml, parts)
  }

  @Test(
    arguments: [
      "sampling: {steps: 0}", "sampling: {eta: 0}", "sampling: {groupSize: 3}", "sampling: {guidanceScale: .nan}",
      "reward: {weights: {}}", "reward: {weights: {alignment: .inf}}",
      "training: {learningRate: -1}", "training: {statisticsBufferSize: 1}",
      "training: {statisticsMinimumCount: 40}", "network: {learner: localhost}",
      "network: {routers: []}", "network: {silenceLimit: 1}", "checkpoint: {keep: 0}", "run: {folder: ''}",
    ])
  func `the error for a value out of range names the key and the range`(yaml: String) throws {
    let key = yaml.split(separator: ":")[0] + "." + yaml.split(separator: "{")[1].split(separator: ":")[0]
    try expectRefusal(yaml, [String(key), "expected", "found"])
  }

  @Test(
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
  func `settings that a method cannot work with are refused`(key: String, yaml: String) throws {
    try expectRefusal(yaml, [key, "expected", "found"])
  }

  @Test(
    arguments: [
      ("sampling.steps", "no effect on the reward", "{sampling: {steps: 1}}"),
      ("sampling.steps", "no effect on the reward", "{training: {algorithm: ddpo}, sampling: {steps: 1}}"),
      ("training.finalStep", "no other step", "{training: {algorithm: sqdf, finalStep: false}, sampling: {steps: 1}}"),
      ("training.discount", "the weight 0", "{training: {algorithm: sqdf, finalStep: false, discount: 0}}"),
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
      (
        "lasro.heldOutEvery", "no held-out group",
        "{training: {algorithm: lasro}, sampling: {groupsPerEpoch: 2}, gradient: {replayEpochs: 1}}"
      ),
      ("reward.batchDelay", "no group is trained on", "{reward: {batchDelay: 3}, network: {scoreDeadline: 2}}"),
    ])
  func `settings that would train nothing are refused with the reason`(
    key: String, reason: String, yaml: String
  ) throws {
    try expectRefusal(yaml, [key, reason])
  }

  @Test func `all problems are reported at once`() throws {
    try expectRefusal("sampling: {steps: 0, eta: 2}", ["sampling.steps", "sampling.eta"])
  }

  @Test func `overrides replace values of the file, and are checked in the same way`() throws {
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
      let text = try #require(problem { try Configuration(file: nil, overrides: [option]) })
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test func `paths in a file are relative to the folder of the file`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "run.yaml")
    let yaml = """
      run: {model: ../m, folder: /abs/f}
      sampling: {promptsFile: p.txt}
      reward: {models: {hpsv2: h, aesthetic: /a}}
      """
    try Data(yaml.utf8).write(to: file)
    try Data("# a comment\n a cat \n\na dog\na cat\n".utf8).write(to: folder.appending(path: "p.txt"))
    let found = try Configuration(file: file)
    #expect(found.run.model == folder.deletingLastPathComponent().appending(path: "m").standardizedFileURL.path)
    #expect(found.run.folder == "/abs/f")
    #expect(found.reward.models == ["hpsv2": folder.appending(path: "h").standardizedFileURL.path, "aesthetic": "/a"])
    #expect(try found.trainingPrompts() == ["a cat", "a dog"])
    let error = #expect(throws: (any Error).self) { try found.evaluationPrompts() }
    #expect(error.map { "\($0)".contains("evaluation.prompts") } == true)
  }

  @Test(arguments: [
    ("shadow: [alignment]", "reward.shadow"), ("external: [beauty]", "reward.external"),
    ("normalizationWindow: 1", "reward.normalizationWindow"), ("batchDelay: 20", "reward.batchDelay"),
    ("requestsAtOnce: 0", "reward.requestsAtOnce"),
  ])
  func `settings of rewards that contradict each other are refused`(yaml: String, key: String) throws {
    try expectRefusal("reward: {\(yaml)}", [key])
  }

  @Test func `the error for a missing file names the file`() throws {
    let text = try #require(problem { try Configuration(file: URL(filePath: "/nowhere/x.yaml")) })
    #expect(text.contains("/nowhere/x.yaml"))
  }

  @Test(arguments: try presets())
  func `every preset is valid, and its held-out prompts are not trained on`(name: String) throws {
    let found = try Configuration(file: TinyModel.repository.appending(path: "configs/\(name)"))
    let training = Set(try found.trainingPrompts())
    #expect(training.count >= 40)
    #expect(training.isDisjoint(with: try found.evaluationPrompts()))
    #expect(found.run.model.hasPrefix(TinyModel.repository.path))
  }
}

private func presets() throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: TinyModel.repository.appending(path: "configs").path)
    .filter { $0.hasSuffix(".yaml") }.sorted()
}
