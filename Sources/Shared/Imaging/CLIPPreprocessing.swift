// Pictures as CLIP's vision tower expects them: transformers' CLIPImageProcessor, to one grey level.

package import Engine

/// Shorter side resized (bicubic), centre square, scaled to 0...1, CLIP's mean and deviation.
package struct CLIPPreprocessing: Sendable {
  /// Side of the square in pixels, as the tower's `image_size`.
  package let size: Int
  /// CLIP's mean of red, green and blue in 0...1, from its published preprocessing.
  package static let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  /// CLIP's standard deviation of red, green and blue.
  package static let deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

  package init(size: Int) {
    check(size > 0, "CLIPPreprocessing: the size \(size) must be positive")
    self.size = size
  }

  /// The pictures as `[n, 3, size, size]`.
  package func callAsFunction(_ images: [Image]) -> Tensor {
    let plane = size * size
    return Tensor(shape: [images.count, 3, size, size]) { target in
      for (number, image) in images.enumerated() {
        let square = image.centreSquare(side: size)
        square.pixels.withUnsafeBufferPointer { pixels in
          for channel in 0..<3 {
            let mean = CLIPPreprocessing.mean[channel], deviation = CLIPPreprocessing.deviation[channel]
            let start = (number &* 3 &+ channel) &* plane
            for place in 0..<plane {
              target[start &+ place] = (Float(pixels[place &* 3 &+ channel]) / 255 - mean) / deviation
            }
          }
        }
      }
    }
  }
}
