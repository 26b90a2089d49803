// Pictures that are asked of more than once in a request: the trajectories of a group begin with the same clean state.

internal import Messages

/// Which of a batch's pictures differ, in their bytes or their prompts.
struct DistinctPictures {
  /// The first of each kind, in their order.
  private(set) var kept: [Int] = []
  /// Of every picture, which of `kept` it is like.
  private(set) var places: [Int] = []

  /// - Parameter prompts: one a picture.
  init(_ images: ImageBatch, prompts: [String]) {
    let size = images.height * images.width * 3
    var known: [Picture: Int] = [:]
    for index in 0..<images.count {
      let picture = Picture(bytes: images.pixels[index * size..<(index + 1) * size], prompt: prompts[index])
      let place = known[picture] ?? kept.count
      if place == kept.count {
        known[picture] = place
        kept.append(index)
      }
      places.append(place)
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
