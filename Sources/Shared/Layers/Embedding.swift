// Rows of a table by index.

package import Engine

/// A table of vectors.
package final class Embedding {
  package let weight: Parameter

  package init(_ path: ParameterPath, count: Int, width: Int, deviation: Float = 0.02) throws {
    weight = try path.parameter("weight", [count, width], .normal(deviation: deviation))
  }

  /// A table under a name of its own in the checkpoint, `[count, width]`.
  package init(weight: Parameter) { self.weight = weight }

  /// The vectors of indices, `[n, width]`.
  package func callAsFunction(_ indices: [Int]) -> Tensor { weight.tensor.rows(indices) }
}
