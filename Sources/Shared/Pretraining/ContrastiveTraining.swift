// Training of a small CLIP on the same pictures; its similarity is the alignment reward.

import Engine
import Foundation
import Imaging
import Layers
import Models

/// The symmetric contrastive loss of CLIP (Radford et al., arXiv 2103.00020) over batches of different captions. One
/// picture in eight is reconstructed by the autoencoder, because the pictures that the reward judges are decoded by it.
struct ContrastiveTraining {
  let model: CLIP
  let autoencoder: AutoencoderKL
  let pictures: VariedPictures
  let tokenize: (String) throws -> [Int]

  func train(_ schedule: TrainingSchedule, folder: URL, report: @escaping (TrainingProgress) -> Void) throws {
    model.logitScale.value = Tensor(2.6592)
    let run = try TrainingRun(
      stage: "clip", parameters: model.parameters, schedule: schedule, folder: folder, report: report)
    let preprocessing = CLIPPreprocessing(size: pictures.side)
    try run.train { random in
      var random = random
      let indices = Array(random.permutation(pictures.count).prefix(schedule.batchSize))
      var images = indices.map { pictures.picture($0, .clip, &random) }
      let some = max(1, images.count / 8)
      let decoded = Tape.withoutGradients { reconstructed(Array(images[..<some]), &random) }
      images.replaceSubrange(..<some, with: Image.batch(decoded, range: .signed))
      let prompts = indices.map { PromptTemplates.draw(pictures.captions[$0], &random) }
      return loss(preprocessing(images), try prompts.map(tokenize))
    }
  }

  /// Encodes and decodes pictures, with some noise on the latents.
  private func reconstructed(_ images: [Image], _ random: inout RandomStream) -> Tensor {
    let mean = autoencoder.encode(Tensor.stacked(images.map { $0.tensor(range: .signed) })).mean
    let noise = random.normal(mean.shape) * (0.15 * random.uniform() / autoencoder.scalingFactor)
    return autoencoder.decode(mean + noise)
  }

  /// The mean of the cross-entropies of choosing the text of each picture and the picture of each text in the batch.
  func loss(_ pixels: Tensor, _ inputIDs: [[Int]]) -> Tensor {
    let images = model.vision(pixels).unitLength
    let texts = model.text.embeddings(inputIDs).unitLength
    let logits = images.matmul(texts.permuted([1, 0])) * model.logitScale.tensor.clamped(0, 4.6052).exp()
    let n = pixels.shape[0]
    let identity = Tensor((0..<n * n).map { $0 % (n + 1) == 0 ? 1 : 0 }, shape: [n, n])
    let both = logits.logSoftmax() + logits.permuted([1, 0]).logSoftmax()
    return -(both * identity).sum() / Float(2 * n)
  }
}
