// What pretraining learns from: pictures with a caption each, known by number.

/// A data set of captioned pictures; the same number always means the same picture.
package protocol CaptionedPictures: Sendable {
  /// Number of pictures, at least 1.
  var count: Int { get }
  /// The caption of a picture, 0..<count.
  func caption(_ index: Int) -> String
  /// A picture in its own size, 0..<count.
  ///
  /// - Throws: `ImagingError` when its file cannot be read.
  func picture(_ index: Int) throws -> Image
}

extension CaptionedPictures {
  /// Different captions, in order of their first appearance.
  package var captions: [String] {
    var seen: Set<String> = []
    return (0..<count).map(caption).filter { seen.insert($0).inserted }
  }
}
