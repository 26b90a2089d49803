// The kernels that `stepwise-bench kernels` measures, with their operations or bytes.

import Engine

struct BenchKernel {
  enum Unit: String {
    /// Floating-point operations of the direct method, two per multiply-add; a faster method can exceed the peak.
    case operations = "GFLOP/s"
    /// Bytes of the tensors that are read and written, each once.
    case bytes = "GB/s"
  }

  let name, shape: String
  let unit: Unit
  /// Operations or bytes of one run.
  let amount: Double
  /// Creates the inputs, and returns the work to measure.
  let prepare: () -> () -> Void

  /// Its rate is the peak for operations.
  static var peakProduct: BenchKernel { product(2048, 2048, 2048) }
  /// Its rate is the peak for bytes.
  static var peakCopy: BenchKernel { moving("copy", [1 << 25], reads: 1, writes: 1) { x in { _ = x * 1 } } }

  static var all: [BenchKernel] { products + convolutions + attentions + movers }

  private static var products: [BenchKernel] {
    [product(1024, 1024, 1024), product(64, 64, 4096)]
    + [(4096, 320, 320), (4096, 320, 2560), (1024, 640, 640), (256, 1280, 1280), (77, 1024, 1280), (1024, 64, 64)]
    .map { linearLayer(rows: $0.0, in: $0.1, out: $0.2) }
  }

  private static var convolutions: [BenchKernel] {
    [
      (64, 320, 320, 3, 1), (32, 640, 640, 3, 1), (16, 1280, 1280, 3, 1), (8, 1280, 1280, 3, 1), (64, 320, 320, 3, 2),
      (64, 640, 320, 1, 1), (512, 128, 128, 3, 1), (256, 256, 256, 3, 1), (128, 512, 512, 3, 1), (64, 4, 320, 3, 1),
      (64, 320, 4, 3, 1), (16, 64, 64, 3, 1), (64, 24, 24, 3, 1),
    ].flatMap { side, inputs, outputs, kernel, stride in
      [false, true].map { convolution(side, inputs, outputs, kernel, stride, gradient: $0) }
    }
  }

  private static var attentions: [BenchKernel] {
    [(4096, 4096, 5, 320), (4096, 77, 5, 320), (1024, 1024, 10, 640), (256, 256, 4, 64)].flatMap { n, m, heads, width in
      [false, true].map { attentionHeads(n, m, heads, width, gradient: $0) }
    }
  }

  private static var movers: [BenchKernel] {
    [
      moving("group norm + SiLU", [1, 64, 64, 320], reads: 1, writes: 1) { x in
        let (ones, zeros) = (Tensor.ones([320]), Tensor.zeros([320]))
        return { _ = groupNorm(x, ones, zeros, groups: 32, epsilon: 1e-5, silu: true) }
      },
      moving("layer norm", [4096, 320], reads: 1, writes: 1) { x in
        let (ones, zeros) = (Tensor.ones([320]), Tensor.zeros([320]))
        return { _ = layerNorm(x, ones, zeros, epsilon: 1e-5) }
      },
      moving("SiLU", [4096, 1280], reads: 1, writes: 1) { x in { _ = x.silu() } },
      moving("GELU", [4096, 1280], reads: 1, writes: 1) { x in { _ = x.gelu() } },
      moving("GEGLU", [4096, 2560], reads: 1, writes: 0.5) { x in { _ = x.geglu() } },
      moving("softmax", [4096, 1024], reads: 1, writes: 1) { x in { _ = x.softmax() } },
      moving("add", [4096, 1280], reads: 2, writes: 1) { x in { _ = x + x } },
      moving("add a shift per channel", [1, 64, 64, 320], reads: 1, writes: 1) { x in
        let shift = Tensor.ones([1, 1, 1, 320])
        return { _ = x + shift }
      },
      moving("NCHW to NHWC", [1, 320, 64, 64], reads: 1, writes: 1) { x in { _ = x.channelsLast } },
      moving("sum", [4096, 1280], reads: 1, writes: 0) { x in { _ = x.sum() } },
      moving("normal numbers", [1 << 22], reads: 0, writes: 1) { x in
        {
          var stream = RandomStream(seed: 1)
          _ = stream.normal(x.shape)
        }
      },
    ]
  }

  private static func numbers(_ shape: [Int], _ label: String = "x") -> Tensor {
    var stream = RandomStream(seed: 1).fork(label)
    return stream.normal(shape)
  }

  private static func product(_ m: Int, _ n: Int, _ k: Int) -> BenchKernel {
    BenchKernel(
      name: "product", shape: "\(m) x \(k) x \(n)", unit: .operations, amount: 2 * Double(m * n) * Double(k)
    ) {
      let (a, b) = (numbers([m, k]), numbers([k, n], "y"))
      return { _ = a.matmul(b) }
    }
  }

  private static func linearLayer(rows: Int, in inputs: Int, out outputs: Int) -> BenchKernel {
    BenchKernel(
      name: "linear", shape: "\(rows) rows, \(inputs) to \(outputs)", unit: .operations,
      amount: 2 * Double(rows * inputs) * Double(outputs)
    ) {
      let (x, w, bias) = (numbers([rows, inputs]), numbers([outputs, inputs], "w"), numbers([outputs], "b"))
      return { _ = linear(x, w, bias) }
    }
  }

  /// - Parameter gradient: adds the gradient with respect to the input, as in training through frozen weights.
  private static func convolution(
    _ side: Int, _ inputs: Int, _ outputs: Int, _ kernel: Int, _ stride: Int, gradient: Bool
  ) -> BenchKernel {
    let positions = (side / stride) * (side / stride)
    let operations = 2 * Double(positions * outputs) * Double(inputs * kernel * kernel)
    return BenchKernel(
      name: gradient ? "convolution, forward and backward" : "convolution",
      shape: "\(kernel)x\(kernel)\(stride > 1 ? " stride \(stride)" : ""), \(inputs) to \(outputs) at \(side)²",
      unit: .operations, amount: gradient ? 2 * operations : operations
    ) {
      let x = numbers([1, side, side, inputs]), w = numbers([outputs, kernel, kernel, inputs], "w")
      let bias = numbers([outputs], "b"), padding = Padding(kernel / 2)
      let run = { (x: Tensor) in conv2d(x, w, bias, stride: stride, padding: padding) }
      guard gradient else { return { _ = run(x) } }
      return { _ = Tape.gradients(of: [x]) { (run($0[0]).sum(), ()) } }
    }
  }

  private static func attentionHeads(_ n: Int, _ m: Int, _ heads: Int, _ width: Int, gradient: Bool) -> BenchKernel {
    let operations = 4 * Double(n * m) * Double(width)
    return BenchKernel(
      name: gradient ? "attention, forward and backward" : "attention",
      shape: "\(n) on \(m) tokens, \(heads) heads of \(width / heads)", unit: .operations,
      // The backward pass recomputes the scores, and computes the gradients of scores, queries, keys and values.
      amount: gradient ? 3.5 * operations : operations
    ) {
      let q = numbers([1, n, width]), k = numbers([1, m, width], "k"), v = numbers([1, m, width], "v")
      guard gradient else { return { _ = attention(q, k, v, heads: heads) } }
      return { _ = Tape.gradients(of: [q, k, v]) { (attention($0[0], $0[1], $0[2], heads: heads).sum(), ()) } }
    }
  }

  /// A kernel that is bound by memory.
  ///
  /// - Parameters:
  ///   - reads, writes: tensors of the size of the input.
  private static func moving(
    _ name: String, _ shape: [Int], reads: Double, writes: Double, _ work: @escaping (Tensor) -> () -> Void
  ) -> BenchKernel {
    BenchKernel(
      name: name, shape: shape.map(String.init).joined(separator: " x "), unit: .bytes,
      amount: 4 * (reads + writes) * Double(shape.reduce(1, *))
    ) { work(numbers(shape)) }
  }
}
