// All rewards, by name. The file of a reward declares it; this file only lists the declarations.

internal import Foundation
package import Settings

/// A reward, as its own file declares it.
package struct RewardDeclaration: Sendable {
  /// The name in `reward.weights`.
  let name: String
  /// The keys of `reward.models` that it reads.
  let models: [String]
  /// Makes the scorer, on the thread that will use it.
  let make: @Sendable (RewardSettings) throws -> any Scorer

  init(_ name: String, models: [String] = [], make: @escaping @Sendable (RewardSettings) throws -> any Scorer) {
    self.name = name
    self.models = models
    self.make = make
  }
}

/// All rewards, by name.
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

extension RewardSettings {
  /// The path of a model of `reward.models`.
  ///
  /// - Throws: `ScorerError` when it is not configured.
  func model(_ key: String, for reward: String) throws -> URL {
    guard let path = models[key], !path.isEmpty else {
      throw ScorerError(
        "reward \(reward) needs the model \(key): set reward.models: {\(key): PATH} in the YAML file or with --set, or "
          + "use --reward-model \(key)=PATH with stepwise evaluate and stepwise replay rescore")
    }
    return URL(filePath: path)
  }

  /// The folder `reward.alignmentModel`.
  ///
  /// - Throws: `ScorerError` when it is not configured.
  func alignmentModel(for reward: String) throws -> URL {
    guard !alignmentModel.isEmpty else {
      throw ScorerError("reward \(reward) needs a CLIP model: set reward.alignmentModel to its folder")
    }
    return URL(filePath: alignmentModel)
  }
}
