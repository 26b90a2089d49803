// What a network costs by its configuration alone, before any weight is loaded: multiplications, weights, and how much
// of its layers' outputs training keeps. The layers are those that the network's own constructor asks weights for.

internal import Layers

package struct NetworkCost: Sendable, Equatable {
  /// Floating-point operations of products and convolutions, two per multiply-add; all others are left out.
  package private(set) var operations = 0.0
  /// Numbers in the weights.
  package private(set) var parameters = 0
  /// Numbers in the outputs of all products and convolutions: about what a backward pass keeps.
  package private(set) var outputs = 0
  /// Numbers in the input and output of the widest layer together: the least that is in memory at once.
  package private(set) var widest = 0

  package var weightBytes: Int { 4 * parameters }  // float32

  /// The positions at which a layer works, over the whole batch: pixels of a convolution, rows of a product.
  struct Positions {
    var read, written: Int

    init(_ both: Int) { (read, written) = (both, both) }
    init(read: Int, written: Int) { (self.read, self.written) = (read, written) }
  }

  /// Adds layers, each a weight of a name with a shape `[out, in]` or `[out, in, height, width]`.
  ///
  /// - Parameter positions: where the layer of a name works; nil for weights that are no products, such as embeddings.
  ///   Not called for biases and norms.
  mutating func add(_ weights: [ParameterSource.Shape], positions: (_ name: String) -> Positions?) {
    for (name, shape) in weights {
      parameters += shape.reduce(1, *)
      guard shape.count > 1, let positions = positions(name) else { continue }
      let multiplied = shape.dropFirst().reduce(1, *)
      operations += 2 * Double(positions.written * shape[0]) * Double(multiplied)
      add(input: positions.read * shape[1], output: positions.written * shape[0])
    }
  }

  /// Adds queries against keys and weights against values, for `width` channels in all heads together.
  mutating func addAttention(batch: Int, queries: Int, keys: Int, width: Int) {
    operations += 4 * Double(batch * queries) * Double(keys * width)
    add(input: batch * (queries + 2 * keys) * width, output: batch * queries * width)
  }

  private mutating func add(input: Int, output: Int) {
    outputs += output
    widest = max(widest, input + output)
  }
}
