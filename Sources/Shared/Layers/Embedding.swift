// A table of vectors, looked up by index.

package import Engine

package final class Embedding {
  package let weight: Parameter

  package init(_ path: ParameterPath, count: Int, width: Int, deviation: Float = 0.02) throws {
    weight = try path.parameter("weight", [count, width], .normal(deviation: deviation))
  }

  /// A table `[count, width]` whose name in the checkpoint does not end in `weight`.
  package init(weight: Parameter) { self.weight = weight }

  /// The vectors of n indices, `[n, width]`.
  package func callAsFunction(_ indices: [Int]) -> Tensor { weight.tensor.rows(indices) }
}
