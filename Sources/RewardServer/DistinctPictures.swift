// Finds repeated pictures of a request, so that each is scored once: the trajectories of a group may share clean
// states.

internal import Messages

/// The distinct pictures of a batch. Pictures are equal if their bytes and their prompts are.
struct DistinctPictures {
  /// Indices of the first picture of each kind, in ascending order.
  private(set) var kept: [Int] = []
  /// For every picture, the index in `kept` of its equal.
  private(set) var indices: [Int] = []

  /// - Parameter prompts: One per picture.
  init(_ images: ImageBatch, prompts: [String]) {
    let size = images.height * images.width * 3
    var known: [Picture: Int] = [:]
    for index in 0..<images.count {
      let picture = Picture(bytes: images.pixels[index * size..<(index + 1) * size], prompt: prompts[index])
      let match = known[picture] ?? kept.count
      if match == kept.count {
        known[picture] = match
        kept.append(index)
      }
      indices.append(match)
    }
  }

  private struct Picture: Hashable {
    let bytes: ArraySlice<UInt8>
    let prompt: String

    func hash(into hasher: inout Hasher) {
      hasher.combine(prompt)
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
  }
}
