// Resampling and cropping. `resized` equals the antialiased bicubic resampling of Pillow to the bit, because reward
// models were trained on pictures that Pillow has resized.

internal import CImaging
internal import Engine
internal import Foundation

extension Image {
  /// The same as `resize((width, height), BICUBIC)` of Pillow.
  package func resized(width newWidth: Int, height newHeight: Int) -> Image {
    check(newWidth > 0 && newHeight > 0, "resized: expected a positive size, found \(newWidth) x \(newHeight)")
    if newWidth == width && newHeight == height { return self }
    let target = [UInt8](unsafeUninitializedCapacity: newWidth * newHeight * 3) { target, count in
      let status = sw_resize_bicubic(
        pixels, Int32(width), Int32(height), target.baseAddress, Int32(newWidth), Int32(newHeight))
      check(status == 0, "resized: out of memory for \(newWidth) x \(newHeight) pixels")
      count = newWidth * newHeight * 3
    }
    return Image(width: newWidth, height: newHeight, pixels: target)
  }

  /// The part with its top left corner at column `x`, row `y`; it must be inside of the picture.
  package func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) -> Image {
    check(
      x >= 0 && y >= 0 && newWidth > 0 && newHeight > 0 && x + newWidth <= width && y + newHeight <= height,
      "cropped: \(newWidth) x \(newHeight) pixels at (\(x), \(y)) are not inside of a picture of \(width) x \(height)")
    var target: [UInt8] = []
    target.reserveCapacity(newWidth * newHeight * 3)
    for row in y..<y + newHeight {
      let start = (row * width + x) * 3
      target += pixels[start..<start + newWidth * 3]
    }
    return Image(width: newWidth, height: newHeight, pixels: target)
  }

  /// Resizes the shorter side to `side` (the other is rounded down, as in transformers) and takes the centre square.
  package func centreSquare(side: Int) -> Image {
    let shorter = min(width, height)
    let resized = resized(width: width * side / shorter, height: height * side / shorter)
    return resized.cropped(
      x: (resized.width - side) / 2, y: (resized.height - side) / 2, width: side, height: side)
  }

  /// The whole picture in the middle of a white square of `side` x `side` pixels.
  package func paddedSquare(side: Int) -> Image {
    let longer = max(width, height)
    var square = Image(width: longer, height: longer)
    square.draw(self, x: (longer - width) / 2, y: (longer - height) / 2)
    return square.resized(width: side, height: side)
  }

  /// Copies a picture into this one, with its top left corner at (`x`, `y`); parts outside of this picture are cut off.
  package mutating func draw(_ image: Image, x: Int, y: Int) {
    let (left, right) = (max(0, -x), min(image.width, width - x))
    let (top, bottom) = (max(0, -y), min(image.height, height - y))
    guard left < right, top < bottom else { return }
    for row in top..<bottom {
      let from = row * image.width * 3
      let to = ((row + y) * width + x) * 3
      pixels.replaceSubrange(
        to + left * 3..<to + right * 3, with: image.pixels[from + left * 3..<from + right * 3])
    }
  }

  /// A random augmentation of training pictures: a change of size, angle and position about the centre. The uncovered
  /// area is white.
  package struct Variation: Sendable, Hashable {
    /// Values above 1 enlarge.
    package var scale: Double = 1
    /// In radians, clockwise on the screen.
    package var angle: Double = 0
    /// To the right and down, as fractions of the width and height.
    package var shift: (x: Double, y: Double) {
      get { (shiftX, shiftY) }
      set { (shiftX, shiftY) = newValue }
    }
    private var shiftX = 0.0, shiftY = 0.0
    /// Whether left and right are exchanged.
    package var isMirrored = false

    package init() {}
  }

  /// Applies a variation; the size stays the same. The interpolation is bilinear, so vary the large picture and shrink
  /// it afterwards.
  package func varied(_ variation: Variation) -> Image {
    let cosine = cos(variation.angle) / variation.scale, sine = sin(variation.angle) / variation.scale
    let side = variation.isMirrored ? -1.0 : 1.0
    let centre = (x: Double(width - 1) / 2, y: Double(height - 1) / 2)
    let moved = (
      x: centre.x + variation.shift.x * Double(width), y: centre.y + variation.shift.y * Double(height)
    )
    // The source of a target pixel: the inverse of shift, rotation, scale and mirroring about the centre.
    let matrix = [
      side * cosine, side * sine, centre.x - side * (cosine * moved.x + sine * moved.y),
      -sine, cosine, centre.y + sine * moved.x - cosine * moved.y,
    ]
    let target = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
      sw_warp(
        pixels, Int32(width), Int32(height), target.baseAddress, Int32(width), Int32(height), matrix)
      count = pixels.count
    }
    return Image(width: width, height: height, pixels: target)
  }

  /// The picture faded towards white: each pixel keeps the fraction `contrast`, 0 to 1, of its distance from white.
  package func faded(keeping contrast: Double) -> Image {
    check((0...1).contains(contrast), "faded: expected a contrast of 0 to 1, found \(contrast)")
    let table = (0...255).map { UInt8((255 - contrast * Double(255 - $0)).rounded()) }
    return Image(width: width, height: height, pixels: pixels.map { table[Int($0)] })
  }
}
