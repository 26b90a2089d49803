// Rewards that compare the pictures of a group with each other, and therefore need all of them at once.

package struct PicturePosition: Sendable, Equatable {
  /// Index of the trajectory in the group.
  package var trajectory: Int
  /// The step whose clean state the picture shows.
  package var step: Int

  package init(trajectory: Int, step: Int) {
    self.trajectory = trajectory
    self.step = step
  }
}

/// A scorer whose scores depend on the other pictures of the group.
package protocol GroupScorer: Scorer {
  /// The scores of one whole group, as those of `Scorer`, with one position per picture; a trajectory may have pictures
  /// of several steps.
  func scores(
    images: [UInt8], height: Int, width: Int, prompts: [String], positions: [PicturePosition]
  ) throws -> [Float?]
}

extension GroupScorer {
  /// Scores pictures without positions: those of one prompt count as a group of trajectories with one picture each.
  package func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    _ = try pictures(images, height: height, width: width, count: prompts.count)
    let size = height * width * 3
    var scores = [Float?](repeating: nil, count: prompts.count)
    for (prompt, members) in Dictionary(grouping: prompts.indices, by: { prompts[$0] }) {
      let found = try self.scores(
        images: members.flatMap { images[$0 * size..<($0 + 1) * size] }, height: height, width: width,
        prompts: members.map { _ in prompt },
        positions: members.indices.map { PicturePosition(trajectory: $0, step: 0) })
      for (member, score) in zip(members, found) { scores[member] = score }
    }
    return scores
  }
}
