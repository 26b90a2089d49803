// The size of a picture as JPEG (DDPO, arXiv 2305.13301): quality 95, in thousands of bytes.

internal import Imaging

/// Bytes/1000 of the JPEG file, negated for compressibility.
package struct JPEGSize: Scorer {
  static let compressibility = RewardDeclaration("jpeg-compressibility") { _ in JPEGSize(compressible: true) }
  static let incompressibility = RewardDeclaration("jpeg-incompressibility") { _ in JPEGSize(compressible: false) }

  package let name: String
  package let version = "jpeg-quality-95/1"
  private let sign: Float

  init(compressible: Bool) {
    name = compressible ? "jpeg-compressibility" : "jpeg-incompressibility"
    sign = compressible ? -1 : 1
  }

  package func scores(images: [UInt8], height: Int, width: Int, prompts: [String]) throws -> [Float?] {
    try pictures(images, height: height, width: width, count: prompts.count).map { picture in
      sign * Float(try picture.jpegBytes(quality: 95).count) / 1000
    }
  }
}
