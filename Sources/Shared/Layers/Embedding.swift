// Rows of a table by index.

public import Engine

/// A table of vectors.
public final class Embedding {
  public let weight: Parameter

  public init(_ path: ParameterPath, count: Int, width: Int, deviation: Float = 0.02) throws {
    weight = try path.parameter("weight", [count, width], .normal(deviation: deviation))
  }

  /// A table under a name of its own in the checkpoint, `[count, width]`.
  public init(weight: Parameter) { self.weight = weight }

  /// The vectors of indices, `[n, width]`.
  public func callAsFunction(_ indices: [Int]) -> Tensor { weight.tensor.rows(indices) }
}
