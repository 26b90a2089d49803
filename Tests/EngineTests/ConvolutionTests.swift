// Convolutions against a reference: sums over positions and taps in double precision.

import Engine
import Testing

/// The sizes of a convolution.
struct ConvolutionCase: Sendable, CustomTestStringConvertible {
  var batch = 1
  var height, width, inputs, outputs: Int
  var kernel = 3
  var stride = 1
  var padding = Padding(1)
  var doubled = false

  var testDescription: String {
    "\(batch)x\(height)x\(width), \(inputs) to \(outputs), \(kernel)x\(kernel), stride \(stride), "
      + "padding \(padding.top) \(padding.left) \(padding.bottom) \(padding.right)\(doubled ? ", doubled" : "")"
  }

  /// 3x3 and stride 1: all remainders of tiles of 4x4 and of groups of 16 and 64 channels.
  static let winograd: [ConvolutionCase] = [
    .init(height: 1, width: 1, inputs: 1, outputs: 1), .init(height: 2, width: 3, inputs: 7, outputs: 8),
    .init(batch: 3, height: 5, width: 5, inputs: 8, outputs: 9), .init(height: 4, width: 4, inputs: 9, outputs: 7),
    .init(batch: 3, height: 17, width: 3, inputs: 3, outputs: 20), .init(height: 5, width: 17, inputs: 24, outputs: 4),
    .init(batch: 2, height: 8, width: 8, inputs: 64, outputs: 64),
    .init(height: 9, width: 10, inputs: 65, outputs: 131), .init(height: 6, width: 7, inputs: 150, outputs: 29),
    .init(batch: 3, height: 33, width: 34, inputs: 13, outputs: 16),
    .init(height: 23, width: 24, inputs: 70, outputs: 101),
    .init(height: 7, width: 9, inputs: 5, outputs: 6, padding: Padding(0)),
    .init(height: 7, width: 9, inputs: 5, outputs: 6, padding: Padding(top: 0, left: 2, bottom: 1, right: 0)),
    .init(batch: 2, height: 4, width: 5, inputs: 20, outputs: 12, doubled: true),
    .init(height: 1, width: 1, inputs: 3, outputs: 2, doubled: true),
  ]

  static let others: [ConvolutionCase] = [
    .init(height: 1, width: 1, inputs: 1, outputs: 1, kernel: 1, padding: Padding(0)),
    .init(batch: 3, height: 5, width: 7, inputs: 9, outputs: 8, kernel: 1, padding: Padding(0)),
    .init(batch: 2, height: 3, width: 4, inputs: 6, outputs: 5, kernel: 1, padding: Padding(0), doubled: true),
    .init(batch: 3, height: 8, width: 9, inputs: 7, outputs: 5, stride: 2),
    .init(
      height: 6, width: 6, inputs: 4, outputs: 3, stride: 2, padding: Padding(top: 0, left: 0, bottom: 1, right: 1)),
    .init(batch: 2, height: 17, width: 5, inputs: 20, outputs: 33, stride: 2),
    .init(height: 8, width: 12, inputs: 3, outputs: 5, kernel: 4, stride: 4, padding: Padding(0)),
    .init(height: 9, width: 9, inputs: 2, outputs: 3, kernel: 5, stride: 3, padding: Padding(2)),
    .init(height: 3, width: 5, inputs: 4, outputs: 6, stride: 2, doubled: true),
  ]

  var area: (height: Int, width: Int) { doubled ? (2 * height, 2 * width) : (height, width) }
  var output: [Int] {
    [
      batch, (area.height + padding.top + padding.bottom - kernel) / stride + 1,
      (area.width + padding.left + padding.right - kernel) / stride + 1, outputs,
    ]
  }

  /// Calls `body` with the offsets in result, input and weight of every product.
  func eachTerm(_ body: (_ result: Int, _ input: Int, _ weight: Int) -> Void) {
    let (out, scale) = (output, doubled ? 2 : 1)
    for b in 0..<batch {
      for i in 0..<out[1] {
        for j in 0..<out[2] {
          for tap in 0..<kernel * kernel {
            let (row, column) = (i * stride + tap / kernel - padding.top, j * stride + tap % kernel - padding.left)
            guard row >= 0, row < area.height, column >= 0, column < area.width else { continue }
            let place = ((b * height + row / scale) * width + column / scale) * inputs
            let position = ((b * out[1] + i) * out[2] + j) * outputs
            for o in 0..<outputs {
              for c in 0..<inputs { body(position + o, place + c, (o * kernel * kernel + tap) * inputs + c) }
            }
          }
        }
      }
    }
  }
}

@Suite struct ConvolutionTests {
  /// Winograd's transforms multiply twice by up to 8 before large numbers cancel; direct sums stay below 1e-6.
  static let tolerance: Float = 3e-5

  init() throws { try Compute.start() }

  @Test(arguments: ConvolutionCase.winograd + ConvolutionCase.others)
  func `a convolution with all terms equals the reference, and so do all gradients`(shape: ConvolutionCase) {
    var random = RandomStream(seed: 5)
    let x = random.normal([shape.batch, shape.height, shape.width, shape.inputs])
    let weight = random.normal([shape.outputs, shape.kernel, shape.kernel, shape.inputs])
    let bias = random.normal([shape.outputs]), shift = random.normal([shape.batch, shape.outputs])
    let residual = random.normal(shape.output), seed = random.normal(shape.output)
    let found = Tape.gradients(of: [x, weight, bias, shift, residual]) { inputs in
      let y = conv2d(
        inputs[0], inputs[1], inputs[2], stride: shape.stride, padding: shape.padding, shift: inputs[3],
        residual: inputs[4], doubled: shape.doubled)
      return ((y * seed).sum(), y.detached)
    }
    #expect(found.extra.shape == shape.output)

    let (xs, ws, gs) = (x.values, weight.values, seed.values)
    var y = (Tensor.zeros(shape.output) + bias + shift.reshaped([shape.batch, 1, 1, shape.outputs]) + residual).values
      .map(Double.init)
    var gx = [Double](repeating: 0, count: x.count), gw = [Double](repeating: 0, count: weight.count)
    shape.eachTerm { result, input, tap in
      y[result] += Double(xs[input]) * Double(ws[tap])
      gx[input] += Double(gs[result]) * Double(ws[tap])
      gw[tap] += Double(gs[result]) * Double(xs[input])
    }
    #expect(worstError(found.extra.values, y.map { Float($0) }) < Self.tolerance)
    #expect(worstError(found.inputs[0].values, gx.map { Float($0) }) < Self.tolerance)
    #expect(worstError(found.inputs[1].values, gw.map { Float($0) }) < Self.tolerance)
    #expect(worstError(found.inputs[2].values, seed.sum(axes: [0, 1, 2]).values) < 1e-5)
    #expect(worstError(found.inputs[3].values, seed.sum(axes: [1, 2]).values) < 1e-5)
    #expect(found.inputs[4].values == gs)
  }

  @Test(arguments: [ConvolutionCase.winograd[7], ConvolutionCase.others[3]])
  func `a convolution without optional terms equals the reference`(shape: ConvolutionCase) {
    var random = RandomStream(seed: 6)
    let x = random.normal([shape.batch, shape.height, shape.width, shape.inputs])
    let weight = random.normal([shape.outputs, shape.kernel, shape.kernel, shape.inputs])
    var expected = [Double](repeating: 0, count: shape.output.product)
    let (xs, ws) = (x.values, weight.values)
    shape.eachTerm { result, input, tap in expected[result] += Double(xs[input]) * Double(ws[tap]) }
    let y = conv2d(x, weight, nil, stride: shape.stride, padding: shape.padding)
    #expect(worstError(y.values, expected.map { Float($0) }) < Self.tolerance)
  }

  @Test(arguments: [(8, 64, 1), (16, 24, 1), (5, 70, 1), (8, 64, 2), (23, 70, 1)])
  func `an image gives the same bits alone and in a batch`(side: Int, channels: Int, stride: Int) {
    var random = RandomStream(seed: 7)
    let x = random.normal([5, side, side, channels]), weight = random.normal([channels, 3, 3, channels])
    let together = conv2d(x, weight, nil, stride: stride, padding: Padding(1))
    for image in 0..<5 {
      let alone = conv2d(x.slice(axis: 0, image..<image + 1), weight, nil, stride: stride, padding: Padding(1))
      #expect(alone.values == together.slice(axis: 0, image..<image + 1).values)
    }
  }

  @Test func `an empty batch gives an empty result`() {
    let y = conv2d(Tensor.zeros([0, 8, 8, 4]), Tensor.ones([5, 3, 3, 4]), nil, padding: Padding(1))
    #expect(y.shape == [0, 8, 8, 5])
  }
}
