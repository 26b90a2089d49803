// Fonts of Debian packages, read with FreeType. A font belongs to one task at a time and is closed with its owner.

internal import CImaging
internal import Foundation

struct FontHandle: ~Copyable {
  let face: OpaquePointer

  init(path: String, package: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw ImagingError(path, "the font is missing; install the Debian package \(package)")
    }
    var opened: OpaquePointer?
    try withMessage(path, "could not open the font") {
      opened = sw_font_open(path, $0)
      return opened == nil ? 1 : 0
    }
    guard let opened else { throw ImagingError(path, "could not open the font") }
    face = opened
  }

  deinit { sw_font_close(face) }
}

/// Text in DejaVu Sans, in one size.
struct TextFont: ~Copyable {
  private let handle: FontHandle

  init(pixels: Int, isBold: Bool = false) throws {
    let path = "/usr/share/fonts/truetype/dejavu/DejaVuSans\(isBold ? "-Bold" : "").ttf"
    let handle = try FontHandle(path: path, package: "fonts-dejavu-core")
    let face = handle.face
    try withMessage(path, "could not set the size to \(pixels) pixels") {
      sw_font_set_size(face, Int32(pixels), $0)
    }
    self.handle = handle
  }

  /// In pixels.
  func width(of text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + Int(sw_font_advance(handle.face, $1.value)) }
  }

  /// Draws a text that begins at column `x`, with its baseline at row `baseline`.
  func draw(_ text: String, on image: inout Image, x: Int, baseline: Int, color: Image.Color = .black) {
    let (width, height) = (Int32(image.width), Int32(image.height))
    image.pixels.withUnsafeMutableBufferPointer { pixels in
      var x = Int32(x)
      for scalar in text.unicodeScalars {
        x += sw_font_draw(
          handle.face, scalar.value, x, Int32(baseline), [color.red, color.green, color.blue], pixels.baseAddress,
          width, height)
      }
    }
  }

  /// Breaks a text between words into at most `count` lines of at most `limit` pixels. A text that does not fit is
  /// shortened and ends in "…".
  func lines(_ text: String, limit: Int, count: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, width(of: last + " " + word) <= limit {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    guard lines.count > count else { return lines.map { shortened($0, limit: limit) } }
    return lines[..<(count - 1)].map { shortened($0, limit: limit) }
      + [shortened(lines[(count - 1)...].joined(separator: " ") + "…", limit: limit)]
  }

  private func shortened(_ line: String, limit: Int) -> String {
    guard width(of: line) > limit else { return line }
    var kept = line
    while !kept.isEmpty && width(of: kept + "…") > limit { kept.removeLast() }
    return kept + "…"
  }
}
