// Which rewards whose servers score.

extension Configuration.Reward {
  /// Rewards that the Swift reward servers score, sorted: learned and shadow ones, but for those that others bring.
  package var served: [String] { Set(weights.keys).union(shadow).subtracting(external).sorted() }
}
