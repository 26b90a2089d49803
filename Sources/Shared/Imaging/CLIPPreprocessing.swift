// Preprocessing for the vision tower of CLIP, equal to CLIPImageProcessor of transformers to one grey level.

package import Engine

/// Resizes the shorter side (bicubic), takes the centre square, scales to 0...1, and normalizes by the mean and
/// standard deviation of CLIP.
package struct CLIPPreprocessing: Sendable {
  /// The side of the square in pixels, `image_size` of the vision tower.
  package let size: Int
  /// The mean of red, green and blue in 0...1, from the published preprocessing of CLIP.
  package static let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  /// The standard deviation of red, green and blue, from the same source.
  package static let deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

  package init(size: Int) {
    check(size > 0, "CLIPPreprocessing: expected a positive size, found \(size)")
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
