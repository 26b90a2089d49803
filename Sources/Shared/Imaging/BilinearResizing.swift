// Differentiable preprocessing for the vision tower of CLIP: resizing as a linear map of float pixels, without
// rounding. The filter is bilinear, and widened when shrinking, as in the antialiased resize of torchvision.

package import Engine

extension CLIPPreprocessing {
  /// Float pixels `[n, H, W, 3]` in 0...1 to `[n, 3, size, size]`: resizes the shorter side to `size` (bilinear), takes
  /// the centre square, and normalizes by the mean and standard deviation of CLIP. Differentiable.
  package func callAsFunction(pixels: Tensor) -> Tensor {
    check(
      pixels.rank == 4 && pixels.shape[3] == 3 && pixels.count > 0,
      "CLIPPreprocessing: expected pixels [n, H, W, 3], found \(pixels.shape)")
    let height = pixels.shape[1], width = pixels.shape[2]
    var planes = pixels.permuted([0, 3, 1, 2])  // [n, 3, H, W]
    if (height, width) != (size, size) {
      let shorter = min(height, width)
      let across = Self.weights(from: width, to: width * size / shorter, keeping: size)
      let down = Self.weights(from: height, to: height * size / shorter, keeping: size)
      planes = linear(linear(planes, across).permuted([0, 1, 3, 2]), down).permuted([0, 1, 3, 2])
    }
    return (planes - Tensor(Self.mean, shape: [3, 1, 1])) / Tensor(Self.deviation, shape: [3, 1, 1])
  }

  /// The weights of `count` source pixels in each of the `kept` middle pixels of `target` pixels: `[kept, count]`. Rows
  /// sum to 1.
  static func weights(from count: Int, to target: Int, keeping kept: Int) -> Tensor {
    let scale = Float(count) / Float(target)
    let support = max(scale, 1)
    let first = (target - kept) / 2
    return Tensor(shape: [kept, count]) { weights in
      weights.update(repeating: 0)
      for row in 0..<kept {
        let centre = (Float(first + row) + 0.5) * scale
        let range = max(0, Int(centre - support + 0.5))..<min(count, Int(centre + support + 0.5))
        var sum: Float = 0
        for place in range {
          let weight = max(0, 1 - abs((Float(place) + 0.5 - centre) / support))
          weights[row * count + place] = weight
          sum += weight
        }
        for place in range { weights[row * count + place] /= sum }
      }
    }
  }
}
