// How different a picture is from the other pictures of its group, in CLIP's embedding space: pairwise cosine distance,
// as used to measure the diversity of samples (SQDF, arXiv 2512.04559, section 5).

internal import Engine
package import Foundation

/// The mean of 1 - cosine to the pictures of the other trajectories of the group, 0 (all equal) to 2; missing for the
/// only trajectory of a group.
///
/// Each other trajectory is represented by its picture of the nearest step; of two equally near ones, the later.
package final class Diversity: GroupScorer {
  static let declaration = RewardDeclaration("diversity") {
    try Diversity(folder: $0.alignmentModel(for: "diversity"))
  }

  package let name = "diversity"
  package let version: String
  private let clip: Alignment

  /// - Parameter folder: a transformers CLIPModel folder with its tokenizer.
  package init(folder: URL) throws {
    clip = try Alignment(folder: folder)
    version = try "diversity/1/" + fingerprint(ofWeightsIn: folder)
  }

  package func scores(
    images: [UInt8], height: Int, width: Int, prompts: [String], positions: [PicturePosition]
  ) throws -> [Float?] {
    guard positions.count == prompts.count else {
      throw ScorerError("\(name): expected \(prompts.count) positions, one per picture, found \(positions.count)")
    }
    guard !prompts.isEmpty else { return [] }
    let embeddings = try clip.imageEmbeddings(images: images, height: height, width: width, count: prompts.count)
    let cosines = Tape.withoutGradients { embeddings.matmul(embeddings.permuted([1, 0])) }.values
    let members = Dictionary(grouping: positions.indices, by: { positions[$0].trajectory })
    return positions.indices.map { index in
      let distances = members.keys.sorted().filter { $0 != positions[index].trajectory }.compactMap { other in
        nearest(members[other] ?? [], to: positions[index].step, positions)
          .map { 1 - cosines[index * positions.count + $0] }
      }
      let mean = distances.reduce(0, +) / Float(distances.count)
      return mean.isFinite ? mean : nil
    }
  }

  private func nearest(_ candidates: [Int], to step: Int, _ positions: [PicturePosition]) -> Int? {
    func order(_ index: Int) -> (Int, Int) { (abs(positions[index].step - step), -positions[index].step) }
    return candidates.min { order($0) < order($1) }
  }
}
