// What a network costs by its configuration alone, before any weight is loaded: multiplications, weights, and how much
// of its layers' outputs training keeps. The walks follow the constructors of the networks layer by layer.

/// A count of work and memory.
package struct NetworkCost: Sendable, Equatable {
  /// Floating-point operations of products and convolutions, two to a multiply-add; all else is left out.
  package internal(set) var operations = 0.0
  /// Numbers in the weights.
  package internal(set) var parameters = 0
  /// Numbers in the outputs of all products and convolutions: about what a backward pass needs kept.
  package internal(set) var outputs = 0
  /// Numbers in the widest layer's input and output together: the least that must be in memory at once.
  package internal(set) var widest = 0

  /// Bytes of the weights in float32.
  package var weightBytes: Int { 4 * parameters }

  mutating func convolution(
    _ size: Picture, in inputs: Int, out outputs: Int, kernel: Int, stride: Int = 1, bias: Bool = true
  ) {
    parameters += outputs * inputs * kernel * kernel + (bias ? outputs : 0)
    let positions = size.positions / (stride * stride)
    operations += 2 * Double(positions * outputs) * Double(inputs * kernel * kernel)
    add(input: size.positions * inputs, output: positions * outputs)
  }

  mutating func linear(rows: Int, in inputs: Int, out outputs: Int, bias: Bool = true) {
    parameters += inputs * outputs + (bias ? outputs : 0)
    operations += 2 * Double(rows) * Double(inputs * outputs)
    add(input: rows * inputs, output: rows * outputs)
  }

  mutating func norm(_ channels: Int) { parameters += 2 * channels }

  /// Queries against keys and weights against values, for `width` channels in all heads together.
  mutating func attention(batch: Int, queries: Int, keys: Int, width: Int) {
    operations += 4 * Double(batch * queries) * Double(keys * width)
    add(input: batch * (queries + 2 * keys) * width, output: batch * queries * width)
  }

  private mutating func add(input: Int, output: Int) {
    outputs += output
    widest = max(widest, input + output)
  }

  /// A batch of images by their size.
  struct Picture {
    let batch: Int
    var height, width: Int

    var positions: Int { batch * height * width }
    func halved() -> Picture { Picture(batch: batch, height: (height + 1) / 2, width: (width + 1) / 2) }
    func doubled() -> Picture { Picture(batch: batch, height: 2 * height, width: 2 * width) }
  }

  mutating func resnet(_ size: Picture, in inputs: Int, out outputs: Int, timeWidth: Int?) {
    norm(inputs)
    convolution(size, in: inputs, out: outputs, kernel: 3)
    if let timeWidth { linear(rows: size.batch, in: timeWidth, out: outputs) }
    norm(outputs)
    convolution(size, in: outputs, out: outputs, kernel: 3)
    if inputs != outputs { convolution(size, in: inputs, out: outputs, kernel: 1) }
  }
}
