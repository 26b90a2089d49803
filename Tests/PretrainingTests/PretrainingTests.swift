// A tiny model of four coloured squares: all stages run, an interrupted run continues to the same bytes, and the
// written folders can be loaded.

import Engine
import Fixtures
import Foundation
import Imaging
import Models
import Pretraining
import Testing

/// Squares of one colour.
private struct Squares: CaptionedPictures {
  static let colors: [(String, Image.Color)] = [
    ("red", .init(220, 30, 30)), ("green", .init(30, 200, 30)), ("blue", .init(30, 30, 220)), ("black", .black),
  ]
  var count: Int { Self.colors.count }
  func caption(_ index: Int) -> String { Self.colors[index].0 }
  func picture(_ index: Int) -> Image { Image(width: 24, height: 24, color: Self.colors[index].1) }
}

private func schedules() -> Pretraining.Schedules {
  var all = Pretraining.Schedules()
  func short(_ schedule: inout TrainingSchedule) {
    schedule.steps = 4
    schedule.batchSize = 4
    schedule.checkpointInterval = .zero
    schedule.reportInterval = .zero
  }
  for stage in [\Pretraining.Schedules.vae, \.clip, \.unet] { short(&all[keyPath: stage]) }
  return all
}

@Suite(.serialized) struct PretrainingTests {
  @Test(arguments: ["vae", "clip", "unet"])
  func `a run that was interrupted in any stage continues to the same bytes`(stage: String) throws {
    try Compute.start()
    let files = FileManager.default
    try withTemporaryFolder { root in
      let work = root.appending(path: "work"), cut = root.appending(path: "cut")
      func run(_ work: URL, _ name: String, _ report: @escaping (TrainingProgress) -> Void) throws {
        try Pretraining(
          pictures: Squares(), side: 16, output: root.appending(path: name),
          clipOutput: root.appending(path: name + "-clip"),
          work: work, schedules: schedules(), report: report
        ).run()
      }
      var failure: (any Error)?
      try run(work, "whole") { progress in
        guard progress.stage == stage, progress.step == 2 else { return }
        do { try files.copyItem(at: work, to: cut) } catch { failure = error }
      }
      #expect(failure == nil)
      var seen: [Int] = []
      try run(cut, "resumed") { if $0.stage == stage { seen.append($0.step) } }
      #expect(seen == [3, 4])
      for file in ["unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors", "tokenizer/vocab.json"]
      {
        let whole = try Data(contentsOf: root.appending(path: "whole/" + file))
        #expect(whole == (try Data(contentsOf: root.appending(path: "resumed/" + file))), "\(file)")
      }
      let model = try TextToImageModel(folder: root.appending(path: "whole"))
      #expect(model.imageSize == 16)
      #expect(try model.encode(["a red"]).shape[0] == 1)
      _ = try CLIP(folder: root.appending(path: "whole-clip"))
    }
  }

  @Test func `distillation writes a whole folder of the same architecture`() throws {
    try Compute.start()
    try withTemporaryFolder { root in
      let teacher = root.appending(path: "teacher"), student = root.appending(path: "student")
      try Pretraining(
        pictures: Squares(), side: 16, output: teacher, clipOutput: root.appending(path: "clip"),
        work: root.appending(path: "work"), schedules: schedules(), report: { _ in }
      ).run()
      try Distillation(
        model: teacher, pictures: Squares(), guidance: 2, schedule: schedules().unet, output: student,
        work: root.appending(path: "work"), report: { _ in }
      ).run()
      let (before, after) = (try TextToImageModel(folder: teacher), try TextToImageModel(folder: student))
      #expect(before.fingerprint != after.fingerprint)
      #expect(before.unet.parameters.map(\.value.shape) == after.unet.parameters.map(\.value.shape))
      #expect(zip(before.vae.parameters, after.vae.parameters).allSatisfy { $0.value.values == $1.value.values })
    }
  }

  @Test func `a checkpoint of another run is refused and not overwritten`() throws {
    try Compute.start()
    try withTemporaryFolder { root in
      let work = root.appending(path: "work")
      try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
      let other = work.appending(path: "vae.safetensors")
      try Data("no checkpoint".utf8).write(to: other)
      #expect(throws: (any Error).self) {
        try Pretraining(
          pictures: Squares(), side: 16, output: root.appending(path: "model"),
          clipOutput: root.appending(path: "clip"), work: work, schedules: schedules(), report: { _ in }
        ).run()
      }
      #expect(try Data(contentsOf: other) == Data("no checkpoint".utf8))
    }
  }
}
