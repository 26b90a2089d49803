// The data sets of pretraining: numbered pictures, each with a caption.

internal import Basics

/// A data set of captioned pictures; the same number always means the same picture.
package protocol CaptionedPictures: Sendable {
  /// The number of pictures, at least 1.
  var count: Int { get }
  /// The caption of picture `index`, 0..<count.
  func caption(_ index: Int) -> String
  /// Picture `index`, 0..<count, in its original size.
  func picture(_ index: Int) throws -> Image
}

extension CaptionedPictures {
  /// The distinct captions, in order of their first occurrence.
  package var captions: [String] { (0..<count).map(caption).unique() }
}
