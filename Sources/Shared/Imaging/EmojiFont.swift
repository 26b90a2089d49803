// Colour emoji as pictures: the bitmaps of Noto Color Emoji from Debian (136 x 128 pixels), on white.

internal import CImaging
internal import Foundation

/// The font Noto Color Emoji. Use it from one task at a time.
package struct EmojiFont: ~Copyable {
  private let handle: FontHandle
  private let path: String

  /// Opens the font of the Debian package fonts-noto-color-emoji, or another one with colour bitmaps. An error names
  /// the package when the font is missing.
  package init(path: String = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf") throws {
    let handle = try FontHandle(path: path, package: "fonts-noto-color-emoji")
    guard sw_font_bitmap_sizes(handle.face) > 0 else {
      throw ImagingError(
        path, "the font has no colour bitmaps (CBDT), only outlines; use that of the package fonts-noto-color-emoji")
    }
    self.handle = handle
    self.path = path
  }

  package func contains(_ scalar: Unicode.Scalar) -> Bool { sw_font_has_glyph(handle.face, scalar.value) != 0 }

  /// The glyph on white, in the bitmap size of the font (136 x 128 pixels).
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
