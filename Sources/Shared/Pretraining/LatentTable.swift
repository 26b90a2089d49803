// Latents of the pictures of a data set, computed once for several variations of each picture.

import Engine
import Imaging
import Models

/// `[pictures, variations]` latents with a standard deviation of 1.
struct LatentTable {
  private let latents: Tensor
  let variations: Int
  /// The factor of the latents: 1 / standard deviation of the encoder's output.
  let scale: Float

  init(_ pictures: VariedPictures, variations: Int, encoder: AutoencoderKL, random: RandomStream) {
    self.variations = variations
    var rows: [Tensor] = []
    for index in 0..<pictures.count {
      var random = random.fork("picture", index)
      let batch = pictures.batch(Array(repeating: index, count: variations), .denoiser, &random)
      rows.append(encoder.encode(batch).mean)
    }
    let all = Tensor.concatenated(rows, axis: 0)
    let mean = all.mean().item
    scale = 1 / (all - mean).squared().mean().item.squareRoot()
    latents = all * scale
  }

  /// Latents of a random variation of each picture, `[n, C, h, w]`.
  func draw(_ indices: [Int], _ random: inout RandomStream) -> Tensor {
    latents.rows(indices.map { $0 * variations + random.integer(below: variations) })
  }
}
