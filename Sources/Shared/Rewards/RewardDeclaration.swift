// The declaration of a reward in its own file: its name, the models that it reads, and how its scorer is made.

internal import Foundation
internal import Settings

struct RewardDeclaration: Sendable {
  /// The name in `reward.weights`.
  let name: String
  /// The keys of `reward.models` that it reads.
  let models: [String]
  /// Makes the scorer, on the thread that will use it.
  let make: @Sendable (RewardSettings) throws -> any Scorer

  init(_ name: String, models: [String] = [], make: @escaping @Sendable (RewardSettings) throws -> any Scorer) {
    (self.name, self.models, self.make) = (name, models, make)
  }
}

extension RewardSettings {
  /// The path of a model of `reward.models`; an error when it is not configured.
  func model(_ key: String, for reward: String) throws -> URL {
    guard let path = models[key], !path.isEmpty else {
      throw ScorerError(
        "reward \(reward) needs the model \(key): set reward.models: {\(key): PATH} in the YAML file or with --set, or "
          + "use --reward-model \(key)=PATH with stepwise evaluate and stepwise replay rescore")
    }
    return URL(filePath: path)
  }

  /// The folder `reward.alignmentModel`; an error when it is not configured.
  func alignmentModel(for reward: String) throws -> URL {
    guard !alignmentModel.isEmpty else {
      throw ScorerError("reward \(reward) needs a CLIP model: set reward.alignmentModel to its folder")
    }
    return URL(filePath: alignmentModel)
  }
}
