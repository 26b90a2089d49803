// Colour emoji as pictures: the bitmaps of Noto Color Emoji from Debian (136 x 128 pixels), on white.

internal import CImaging
internal import Foundation

/// The font Noto Color Emoji. Use it from one task at a time.
package struct EmojiFont: ~Copyable {
  private let handle: FontHandle
  private let path: String

  /// Opens the font of the Debian package fonts-noto-color-emoji.
  ///
  /// - Throws: `ImagingError` when the font is missing (with the name of the package) or has no colour bitmaps.
  package init() throws {
    try self.init(path: FontFile.emoji.path)
  }

  /// Opens another font file with colour bitmaps.
  ///
  /// - Throws: as `init()`.
  package init(path: String) throws {
    let handle = try FontHandle(path: path, package: FontFile.emoji.package)
    guard sw_font_bitmap_sizes(handle.face) > 0 else {
      throw ImagingError(
        path, "the font has no colour bitmaps (CBDT), only outlines; use \(FontFile.emoji.path)")
    }
    self.handle = handle
    self.path = path
  }

  /// Whether the font has a glyph for the scalar.
  package func contains(_ scalar: Unicode.Scalar) -> Bool { sw_font_has_glyph(handle.face, scalar.value) != 0 }

  /// The glyph on white, in the bitmap size of the font (136 x 128 pixels).
  ///
  /// - Throws: `ImagingError` when the font has no colour bitmap for the scalar.
  package func image(of scalar: Unicode.Scalar) throws -> Image {
    var pixels: UnsafeMutablePointer<UInt8>?
    var width: Int32 = 0, height: Int32 = 0
    let code = "U+" + String(scalar.value, radix: 16, uppercase: true)
    try withMessage(path, "could not read the colour glyph of \(code)") {
      sw_font_color_glyph(handle.face, scalar.value, &pixels, &width, &height, $0)
    }
    defer { free(pixels) }
    let count = Int(width) * Int(height) * 3
    return Image(
      width: Int(width), height: Int(height), pixels: [UInt8](UnsafeBufferPointer(start: pixels, count: count)))
  }
}
