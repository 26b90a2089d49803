// How unlike the other pictures of its group a picture is, in CLIP's embedding space: pairwise cosine distance, as it
// is used to measure the diversity of samples (SQDF, arXiv 2512.04559, section 5).

internal import Engine
package import Foundation

/// Mean of 1 - cosine to the pictures of the group's other trajectories, 0 (all alike) to 2; missing for a trajectory
/// that is alone in its group.
///
/// Of each other trajectory the picture of the nearest step counts; of two equally near ones, the later.
package final class Diversity: GroupScorer {
  static let declaration = RewardDeclaration("diversity") {
    try Diversity(folder: $0.alignmentModel(for: "diversity"))
  }

  package let name = "diversity"
  package let version: String
  private let clip: Alignment

  /// - Parameter folder: a transformers CLIPModel folder with its tokenizer.
  /// - Throws: when a file is missing or does not fit.
  package init(folder: URL) throws {
    clip = try Alignment(folder: folder)
    version = try "diversity/1/" + fingerprint(ofWeightsIn: folder)
  }

  package func scores(
    images: [UInt8], height: Int, width: Int, prompts: [String], places: [PicturePlace]
  ) throws -> [Float?] {
    guard places.count == prompts.count else {
      throw ScorerError("\(name): expected a place a picture, found \(places.count) for \(prompts.count)")
    }
    guard !prompts.isEmpty else { return [] }
    let embeddings = try clip.imageEmbeddings(images: images, height: height, width: width, count: prompts.count)
    let cosines = Tape.withoutGradients { embeddings.matmul(embeddings.permuted([1, 0])) }.values
    let members = Dictionary(grouping: places.indices, by: { places[$0].trajectory })
    return places.indices.map { index in
      let distances = members.keys.sorted().filter { $0 != places[index].trajectory }.compactMap { other in
        nearest(members[other] ?? [], to: places[index].step, places).map { 1 - cosines[index * places.count + $0] }
      }
      let mean = distances.reduce(0, +) / Float(distances.count)
      return mean.isFinite ? mean : nil
    }
  }

  private func nearest(_ candidates: [Int], to step: Int, _ places: [PicturePlace]) -> Int? {
    candidates.min { (abs(places[$0].step - step), -places[$0].step) < (abs(places[$1].step - step), -places[$1].step) }
  }
}
