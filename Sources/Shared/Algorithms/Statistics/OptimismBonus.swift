// An exploration bonus for a learned reward, away from the data that it was fitted to: the upper confidence bound of
// SQDF's online setting (arXiv 2512.04559, after Zhao et al., arXiv 2402.16359).

package import Engine

/// The bonus min(α √(fᵀ (Cov + λ I)⁻¹ f), clip) for features f.
package struct OptimismBonus: Sendable {
  /// The upper-triangular factor U of (Cov + λ I)⁻¹ = U Uᵀ, `[D, D]`.
  private let factor: Tensor
  private let weight: Float
  private let clip: Float

  /// - Parameters:
  ///   - explored: features of the data seen so far, `[n, D]`; their covariance divides by n - 1.
  ///   - weight: α.
  ///   - ridge: λ, above 0.
  ///   - clip: the largest bonus.
  package init(explored: Tensor, weight: Float, ridge: Float, clip: Float) {
    check(explored.rank == 2 && ridge > 0, "OptimismBonus: features \(explored.shape), ridge \(ridge)")
    let width = explored.shape[1]
    factor = Tensor(
      Self.inverseFactor(Self.covariance(explored, ridge: Double(ridge)), width).map(Float.init),
      shape: [width, width])
    self.weight = weight
    self.clip = clip
  }

  /// The bonuses `[B]` of features `[B, D]`; differentiable.
  package func callAsFunction(_ features: Tensor) -> Tensor {
    // fᵀ U Uᵀ f = |Uᵀ f|²; the constant keeps the derivative of the root finite at f = 0.
    let squares = features.matmul(factor).squared().sum(axes: [1])
    return (weight * (squares + 1e-20).sqrt()).clamped(0, clip)
  }

  private static func covariance(_ features: Tensor, ridge: Double) -> [Double] {
    let (count, width) = (features.shape[0], features.shape[1]), values = features.values.map(Double.init)
    let means = (0..<width).map { column in
      (0..<count).reduce(0) { $0 + values[$1 * width + column] } / Double(max(count, 1))
    }
    var result = [Double](repeating: 0, count: width * width)
    for row in 0..<width {
      for column in 0...row {
        var sum = 0.0
        for index in 0..<count {
          sum += (values[index * width + row] - means[row]) * (values[index * width + column] - means[column])
        }
        let value = sum / Double(max(count - 1, 1)) + (row == column ? ridge : 0)
        result[row * width + column] = value
        result[column * width + row] = value
      }
    }
    return result
  }

  /// L⁻ᵀ for the Cholesky factor L of a symmetric positive definite matrix, `[width, width]` row by row.
  private static func inverseFactor(_ matrix: [Double], _ width: Int) -> [Double] {
    var lower = [Double](repeating: 0, count: width * width)
    for row in 0..<width {
      for column in 0...row {
        let dot = (0..<column).reduce(0) { $0 + lower[row * width + $1] * lower[column * width + $1] }
        let rest = matrix[row * width + column] - dot
        lower[row * width + column] =
          row == column ? max(rest, 1e-300).squareRoot() : rest / lower[column * width + column]
      }
    }
    // The columns of L⁻¹ by forward substitution, stored transposed.
    var inverse = [Double](repeating: 0, count: width * width)
    for column in 0..<width {
      for row in column..<width {
        let dot = (column..<row).reduce(0) { $0 + lower[row * width + $1] * inverse[column * width + $1] }
        inverse[column * width + row] = ((row == column ? 1 : 0) - dot) / lower[row * width + row]
      }
    }
    return inverse
  }
}
