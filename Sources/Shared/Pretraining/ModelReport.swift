// The quality of a few-step model on fixed seeds: pictures for several numbers of steps, and how often a CLIP chooses
// the right name for them.

internal import Basics
internal import Diffusion
internal import Engine
package import Foundation
package import Imaging
package import Models

package struct ModelReport {
  /// Fraction of pictures whose best name is their own, by number of steps.
  package private(set) var accuracy: [(steps: Int, share: Double)] = []
  /// Pictures of some prompts, one row per number of steps.
  package private(set) var sheet: [(steps: Int, pictures: [Image])] = []
  package let captions: [String]

  /// Samples one picture per caption for each number of steps: DDIM with eta 1 from seed 0, with the last clean state
  /// decoded.
  ///
  /// - Parameters:
  ///   - guidance: at most 1 for distilled models.
  ///   - shown: captions of the pictures on the sheet.
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
    for range in captions.indices.chunks(of: 16) {
      let part = Array(captions[range]), text = try model.encode(part)
      let states = sampler.sample(
        groups: range.map { GroupNoise(seed: 0, number: $0) }, groupSize: 1, shape: model.latentShape,
        conditioning: Conditioning(text: text, empty: empty + Tensor.zeros(text.shape), scale: guidance),
        denoiser: { model.unet($0, timesteps: $1, encoderHiddenStates: $2) })
      let last = states.cleanStates.slice(axis: 1, steps - 1..<steps).reshaped([part.count] + model.latentShape)
      images += Image.batch(model.decode(last), range: .signed)
    }
    return images
  }

  package func contactSheet(titles: [String]) throws -> Image {
    try ContactSheet(
      columnTitles: titles,
      rows: sheet.map { row in
        ContactSheet.Row("\(row.steps) step\(row.steps == 1 ? "" : "s")", row.pictures.map { ContactSheet.Cell($0) })
      }
    ).rendered()
  }
}

/// Names pictures with a CLIP, by the caption with the highest similarity.
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
    return pictures.chunks(of: 32).flatMap { part -> [Int] in
      let similarity = clip.vision(preprocessing(part)).unitLength.matmul(texts.permuted([1, 0]))
      return part.indices.map { row in
        let values = similarity.slice(axis: 0, row..<row + 1).values
        return values.indices.max { values[$0] < values[$1] } ?? 0
      }
    }
  }
}
