// `generate`, `evaluate` and `plot` are reproducible, and explain what they cannot do.

import Fixtures
import Foundation
import Imaging
import Layers
import Testing

@Suite struct GenerateTests {
  @Test func `the same seed gives the same files, and saved latents give the same pictures`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      let common = ["generate", "--model", model.path, "--prompt", "a cat", "dog", "--steps", "2", "--eta", "0"]
      try Program.stepwise.succeed(
        common + ["--seed", "7", "--out", "one", "--save-latents", "noise.safetensors"], in: folder)
      let one = folder.appending(path: "one")
      #expect(FileManager.default.names(in: one) == ["0000.png", "0001.png", "sheet.png"])
      let latents = try SafetensorsFile(folder.appending(path: "noise.safetensors"))
      #expect(latents.names == ["latents"] && latents.shape(of: "latents") == [2, 4, 8, 8])
      for (options, out, isSame) in [
        (["--seed", "7"], "two", true), (["--seed", "8", "--latents", "noise.safetensors"], "three", true),
        (["--seed", "8"], "four", false),
      ] {
        try Program.stepwise.succeed(common + options + ["--out", out], in: folder)
        let files = [one, folder.appending(path: out)].map { $0.appending(path: "0001.png") }
        #expect(try (Data(contentsOf: files[0]) == Data(contentsOf: files[1])) == isSame, "\(out)")
      }
    }
  }

  @Test(arguments: [["--scheduler", "lcm"], ["--guidance", "2"], ["--eta", "0.5", "--images", "3"]])
  func `every sampler makes pictures`(options: [String]) throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try Program.stepwise.succeed(
        ["generate", "--model", model.path, "--prompt", "a cat", "--steps", "2", "--out", "out"] + options, in: folder)
      let picture = try Image(contentsOf: folder.appending(path: "out/0000.png"))
      #expect(picture.width == picture.height && picture.width >= 8)
    }
  }

  @Test(arguments: [
    (["--model", "none"], "none/model_index.json"),
    (["--prompt", "abcdefghijklm"], "expected at most 10 tokens, found 13"),
    (["--lora", "none.safetensors"], "none.safetensors"),
    (["--latents", "short.safetensors"], "short.safetensors"),
    (["--steps", "0"], "sampling steps, found 0"),
    (["--eta", "2"], "eta"),
    (["--scheduler", "euler"], "euler"),
    (["--images", "0"], "--images"),
  ])
  func `an error is explained, and nothing is written`(options: [String], text: String) throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try Data("not safetensors".utf8).write(to: folder.appending(path: "short.safetensors"))
      var arguments = ["generate", "--out", "out"]
      for (name, value) in [("--model", model.path), ("--prompt", "a cat"), ("--steps", "2")]
      where !options.contains(name) { arguments += [name, value] }
      try Program.stepwise.fail(arguments + options, in: folder, text)
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "out").path))
    }
  }

  @Test func `an evaluation reports means and standard errors of every prompt, and is reproducible`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try Data("# held out\ncat\n\ndog\n".utf8).write(to: folder.appending(path: "prompts.txt"))
      let arguments = [
        "evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "jpeg-compressibility",
        "jpeg-incompressibility", "--seeds", "3", "--steps", "2", "--json",
      ]
      for name in ["a.json", "b.json"] {
        let result = try Program.stepwise.succeed(arguments + [name], in: folder)
        #expect(result.output.contains("cat") && result.output.contains("±"))
      }
      for (option, text) in [("hpsv3=x", "the nearest known key is hpsv2"), ("hpsv2", "expected NAME=PATH")] {
        try Program.stepwise.fail(arguments + ["c.json", "--reward-model", option], in: folder, text)
      }
      let data = try Data(contentsOf: folder.appending(path: "a.json"))
      #expect(try data == Data(contentsOf: folder.appending(path: "b.json")))
      struct Report: Decodable {
        struct Summary: Decodable { let mean, standardError: Double, count: Int }
        struct Reward: Decodable { let all: Summary, prompts: [String: Summary] }
        let rewards: [String: Reward], seeds: Int
      }
      let report = try JSONDecoder().decode(Report.self, from: data)
      let small = try #require(report.rewards["jpeg-compressibility"])
      let large = try #require(report.rewards["jpeg-incompressibility"])
      #expect(report.seeds == 3 && small.all.count == 6 && Set(small.prompts.keys) == ["cat", "dog"])
      #expect(small.all.mean < 0 && abs(small.all.mean + large.all.mean) < 1e-6)
      #expect(small.all.standardError >= 0)
    }
  }

  @Test func `the divergence is zero without an adapter, and has one value per step with one`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      let lora = repository.appending(path: "Tests/Golden/sd2-lora/pytorch_lora_weights.safetensors")
      try Data("cat\ndog\n".utf8).write(to: folder.appending(path: "prompts.txt"))
      struct Report: Decodable {
        let divergence: [Double]?
      }
      func divergence(_ options: [String]) throws -> [Double]? {
        let result = try Program.stepwise.succeed(
          [
            "evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "jpeg-compressibility",
            "--seeds", "2", "--steps", "3", "--json", "report.json",
          ] + options, in: folder)
        #expect(result.output.contains("divergence") == options.contains("--divergence"))
        return try JSONDecoder().decode(
          Report.self, from: Data(contentsOf: folder.appending(path: "report.json"))).divergence
      }
      #expect(try divergence([]) == nil)
      #expect(try divergence(["--divergence"]) == [0, 0, 0])
      let found = try #require(try divergence(["--divergence", "--lora", lora.path]))
      #expect(found.count == 3 && found.allSatisfy { $0 > 0 && $0.isFinite })
      try Program.stepwise.fail(
        [
          "evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "jpeg-compressibility", "--steps",
          "2", "--eta", "0", "--divergence",
        ], in: folder, "eta above 0")
    }
  }

  @Test func `lines from a file are drawn with their names, and errors in the file are explained`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "lines.json")
      func plot(_ text: String, out: String) throws -> Program.Result {
        try Data(text.utf8).write(to: file)
        return try Program.stepwise.run(["plot", "lines.json", "--out", out], in: folder)
      }
      let lines = """
        {"title": "t", "horizontalTitle": "queries", "lines": [{"name": "first", "points": [[0, 1], [2, 3]]},
        {"name": "second", "points": [[0, 2], [2, 1]]}]}
        """
      for out in ["a.svg", "a.png"] {
        let result = try plot(lines, out: out)
        #expect(result.status == 0, "\(result.errors)")
      }
      let text = try String(contentsOf: folder.appending(path: "a.svg"), encoding: .utf8)
      #expect(text.contains(">first</text>") && text.contains(">second</text>") && text.contains(">queries</text>"))
      #expect(try Image(contentsOf: folder.appending(path: "a.png")).width == 720)
      let short = try plot(lines.replacingOccurrences(of: "[2, 1]", with: "[2]"), out: "b.svg")
      #expect(short.status != 0 && short.errors.contains("second: expected points [x, y], found [2.0]"))
      let none = try plot("{}", out: "b.svg")
      #expect(none.status != 0 && none.errors.contains("title, horizontalTitle and lines"))
    }
  }

  @Test func `the error for an unknown reward lists the known rewards`() throws {
    try withTemporaryFolder { folder in
      let model = try TinyModel.make(in: folder)
      try Data("cat\n".utf8).write(to: folder.appending(path: "prompts.txt"))
      try Program.stepwise.fail(
        ["evaluate", "--model", model.path, "--prompts", "prompts.txt", "--reward", "beauty"], in: folder,
        "jpeg-compressibility")
    }
  }

  @Test func `a curve is drawn as PNG and SVG, and the error for an unknown metric lists the known metrics`() throws {
    try withTemporaryFolder { folder in
      let lines = (0..<5).map { "{\"step\": \($0), \"time\": \($0), \"reward/mean\": \(0.1 * Double($0))}\n" }
      try Data(lines.joined().utf8).write(to: folder.appending(path: "metrics.jsonl"))
      for name in ["curve.png", "curve.svg"] {
        try Program.stepwise.succeed(["plot", ".", "--out", name], in: folder)
      }
      #expect(try Image(contentsOf: folder.appending(path: "curve.png")).width == 720)
      try Program.stepwise.fail(["plot", ".", "--metric", "loss", "--out", "x.png"], in: folder, "reward/mean")
    }
  }
}
