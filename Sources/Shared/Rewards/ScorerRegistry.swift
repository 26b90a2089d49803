// All rewards, by name. The file of a reward declares it; this file only lists the declarations.

package import Settings

package enum ScorerRegistry {
  private static let all = [
    JPEGSize.compressibility, JPEGSize.incompressibility, Colourfulness.declaration, Diversity.declaration,
    Alignment.alignment, Alignment.clipScore, Alignment.pickScore, Alignment.hpsv2, Aesthetic.declaration,
  ]

  /// The names that `make` knows.
  package static var names: [String] { all.map(\.name) }
  /// The keys that `reward.models` may have.
  package static var models: [String] { all.flatMap(\.models) }

  /// - Parameter settings: names the models.
  /// - Throws: `ScorerError` when there is no reward of that name, when `reward.models` has an unknown key, or when the
  ///   model cannot be loaded.
  package static func make(_ name: String, _ settings: RewardSettings) throws -> any Scorer {
    guard let declaration = all.first(where: { $0.name == name }) else {
      throw ScorerError("reward: expected one of \(names.joined(separator: ", ")), found \(name)")
    }
    for key in settings.models.keys.sorted() where !models.contains(key) {
      throw ScorerError(
        "reward.models: unknown key \(key); the nearest known key is \(nearestName(to: key, among: models) ?? "none")")
    }
    return try declaration.make(settings)
  }
}
