// How good a few-step model is, on fixed seeds: pictures at several numbers of steps, and how often a CLIP finds the
// right name for them among all.

internal import Diffusion
internal import Engine
package import Foundation
package import Imaging
package import Models

/// What a model card tells.
package struct ModelReport {
  /// The share of pictures whose best name is their own, by steps.
  package private(set) var accuracy: [(steps: Int, share: Double)] = []
  /// Pictures of the first prompts, a row a number of steps.
  package private(set) var sheet: [(steps: Int, pictures: [Image])] = []
  package let captions: [String]

  /// Samples one picture a caption at each number of steps: DDIM with eta 1 from seed 0, the last clean state decoded.
  ///
  /// - Parameters:
  ///   - guidance: the scale; at most 1 for distilled models.
  ///   - shown: captions for the sheet.
  package init(
    model: TextToImageModel, clip: URL, captions: [String], steps: [Int], guidance: Float, shown: [String]
  ) throws {
    self.captions = captions
    let judge = try NameJudge(folder: clip, names: captions)
    let schedule = try NoiseSchedule(folder: model.folder)
    for count in steps {
      let pictures = try ModelReport.pictures(model, schedule, captions, count, guidance)
      let right = zip(judge.bestNames(pictures), captions.indices).filter { $0.0 == $0.1 }.count
      accuracy.append((count, Double(right) / Double(captions.count)))
      sheet.append((count, shown.compactMap { captions.firstIndex(of: $0) }.map { pictures[$0] }))
    }
  }

  private static func pictures(
    _ model: TextToImageModel, _ schedule: NoiseSchedule, _ captions: [String], _ steps: Int, _ guidance: Float
  ) throws -> [Image] {
    let sampler = try DualStateSampler(DDIM(schedule: schedule, steps: steps, eta: 1))
    let empty = try model.encode([""])
    var images: [Image] = []
    for first in stride(from: 0, to: captions.count, by: 16) {
      let part = Array(captions[first..<min(first + 16, captions.count)])
      let text = try model.encode(part)
      let states = sampler.sample(
        groups: part.indices.map { GroupNoise(seed: 0, number: first + $0) }, groupSize: 1, shape: model.latentShape,
        conditioning: Conditioning(text: text, empty: empty + Tensor.zeros(text.shape), scale: guidance),
        denoiser: { model.unet($0, timesteps: $1, encoderHiddenStates: $2) })
      let last = states.cleanStates.slice(axis: 1, steps - 1..<steps).reshaped([part.count] + model.latentShape)
      images += Image.batch(model.decode(last), range: .signed)
    }
    return images
  }

  /// The sheet as a picture.
  package func contactSheet(titles: [String]) throws -> Image {
    try ContactSheet(
      columnTitles: titles,
      rows: sheet.map { row in
        ContactSheet.Row("\(row.steps) step\(row.steps == 1 ? "" : "s")", row.pictures.map { ContactSheet.Cell($0) })
      }
    ).rendered()
  }
}

/// Names pictures with a CLIP: the caption of the highest similarity.
struct NameJudge {
  private let clip: CLIP
  private let texts: Tensor

  init(folder: URL, names: [String]) throws {
    clip = try CLIP(folder: folder)
    let tokenizer = try Tokenizer(folder: folder)
    texts = clip.text.embeddings(try names.map { try tokenizer.encode($0) }).unitLength
  }

  /// The index of the best name of each picture.
  func bestNames(_ pictures: [Image]) -> [Int] {
    let preprocessing = CLIPPreprocessing(size: clip.vision.configuration.imageSize)
    return stride(from: 0, to: pictures.count, by: 32).flatMap { first -> [Int] in
      let part = Array(pictures[first..<min(first + 32, pictures.count)])
      let similarity = clip.vision(preprocessing(part)).unitLength.matmul(texts.permuted([1, 0]))
      return part.indices.map { row in
        let values = similarity.slice(axis: 0, row..<row + 1).values
        return values.indices.max { values[$0] < values[$1] } ?? 0
      }
    }
  }
}
