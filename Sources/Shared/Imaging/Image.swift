// A picture as bytes: 8-bit RGB, rows from the top. Networks use tensors; a picture that is shown, written to or read
// from disk, or scored by a reward without gradients is an Image. Equal tensors give equal bytes.

package import Engine

package struct Image: Sendable, Hashable {
  /// In pixels, at least 1.
  package let width, height: Int
  /// Red, green and blue of each pixel, in rows from the top left: `[height, width, 3]`.
  package internal(set) var pixels: [UInt8]

  /// The values of black and white in a tensor.
  package enum ValueRange: Sendable {
    /// -1...1, the range of diffusion models and their autoencoders.
    case signed
    /// 0...1, the range of rewards with gradients.
    case unit

    var offset: Float { self == .signed ? -1 : 0 }
    var scale: Float { self == .signed ? 2 : 1 }
  }

  package struct Color: Sendable, Hashable {
    package var red, green, blue: UInt8
    package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
      (self.red, self.green, self.blue) = (red, green, blue)
    }
    package static let white = Color(255, 255, 255)
    package static let black = Color(0, 0, 0)
  }

  /// The number of bytes must be `height * width * 3`.
  package init(width: Int, height: Int, pixels: [UInt8]) {
    check(
      width > 0 && height > 0 && pixels.count == width * height * 3,
      "Image: expected 3 bytes for each of \(width) x \(height) pixels, found \(pixels.count)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  package init(width: Int, height: Int, color: Color = .white) {
    var pixels = [UInt8](repeating: color.red, count: max(0, width * height * 3))
    for index in stride(from: 0, to: pixels.count, by: 3) {
      pixels[index + 1] = color.green
      pixels[index + 2] = color.blue
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// A picture from `[3, H, W]`; values are rounded to the nearest of 256 levels and clamped.
  package init(_ tensor: Tensor, range: ValueRange) {
    check(tensor.rank == 3 && tensor.shape[0] == 3, "Image: expected a tensor [3, H, W], found \(tensor.shape)")
    self = Image.batch(tensor.reshaped([1] + tensor.shape), range: range)[0]
  }

  /// Pictures from `[n, 3, H, W]`.
  package static func batch(_ tensor: Tensor, range: ValueRange) -> [Image] {
    check(tensor.rank == 4 && tensor.shape[1] == 3, "Image: expected a tensor [n, 3, H, W], found \(tensor.shape)")
    let (height, width) = (tensor.shape[2], tensor.shape[3])
    let plane = height * width
    let gain = 255 / range.scale, offset = range.offset
    return tensor.withUnsafeBuffer { values in
      (0..<tensor.shape[0]).map { number in
        let pixels = [UInt8](unsafeUninitializedCapacity: plane * 3) { target, count in
          for channel in 0..<3 {
            let from = (number &* 3 &+ channel) &* plane
            for place in 0..<plane {
              // With this order of the arguments, NaN becomes black.
              let level = ((values[from &+ place] - offset) * gain).rounded(.toNearestOrEven)
              target[place &* 3 &+ channel] = UInt8(max(0, min(level, 255)))
            }
          }
          count = plane * 3
        }
        return Image(width: width, height: height, pixels: pixels)
      }
    }
  }

  /// The picture as `[3, height, width]`.
  package func tensor(range: ValueRange) -> Tensor {
    let plane = width * height
    let gain = range.scale / 255, offset = range.offset
    return pixels.withUnsafeBufferPointer { pixels in
      Tensor(shape: [3, height, width]) { target in
        for channel in 0..<3 {
          for place in 0..<plane {
            target[channel &* plane &+ place] = Float(pixels[place &* 3 &+ channel]) * gain + offset
          }
        }
      }
    }
  }

  package subscript(x: Int, y: Int) -> Color {
    get {
      let place = index(x, y)
      return Color(pixels[place], pixels[place + 1], pixels[place + 2])
    }
    set {
      let place = index(x, y)
      (pixels[place], pixels[place + 1], pixels[place + 2]) = (newValue.red, newValue.green, newValue.blue)
    }
  }

  private func index(_ x: Int, _ y: Int) -> Int {
    check(
      x >= 0 && y >= 0 && x < width && y < height,
      "Image: pixel (\(x), \(y)) is outside of a picture of \(width) x \(height)")
    return (y * width + x) * 3
  }
}

extension Image: CustomStringConvertible {
  package var description: String { "Image(\(width) x \(height))" }
}
