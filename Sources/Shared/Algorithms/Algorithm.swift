// What a method is to the learner, and the one list of those there are: a new method is a file and a line in
// `AlgorithmRegistry`. docs/adding-a-method.md goes through one.

package import Foundation

/// Which clean states of a trajectory are scored.
package enum Scoring: Sendable, Equatable {
  /// First, anchor and last: SDPO's dense rewards.
  case dense
  /// The last alone.
  case final
}

/// A method that learns from groups of trajectories. Its state is part of the run's.
package protocol Algorithm: Sendable {
  /// The name in configurations.
  static var name: String { get }
  /// What it asks the reward for.
  var scoring: Scoring { get }

  /// - Throws: `AlgorithmError` naming the option that does not do.
  init(_ options: AlgorithmOptions) throws

  /// Samples that enter a loss together: 2 for pairs.
  var unitSize: Int { get }

  /// The step up to which an epoch's trajectories of a group share all states: 0, or where they branch.
  func branchStep(ofEpoch epoch: Int) -> Int

  /// The state between epochs, for a checkpoint.
  func state() throws -> Data
  /// Takes up the state of a checkpoint.
  ///
  /// - Throws: `AlgorithmError` when it was made with other settings.
  mutating func restore(_ state: Data) throws
}

extension Algorithm {
  /// Every sample by itself.
  package var unitSize: Int { 1 }
  /// Trajectories of a group share the initial state alone.
  package func branchStep(ofEpoch epoch: Int) -> Int { 0 }
  /// No state.
  package func state() throws -> Data { Data() }
  /// No state.
  package mutating func restore(_ state: Data) throws {}
}

/// All methods, by name.
package enum AlgorithmRegistry {
  private static let all: [any Algorithm.Type] = [
    SDPO.self, DDPO.self, B2DiffuRL.self, SQDF.self, DRaFT.self, DRaFTDivergence.self, DRaFTLowVariance.self, ReFL.self,
    LaSRO.self,
  ]

  /// The names that `make` knows.
  package static var names: [String] { all.map { $0.name } }

  /// - Throws: `AlgorithmError` when there is no method of that name, or it cannot work with the options.
  package static func make(_ name: String, _ options: AlgorithmOptions) throws -> any Algorithm {
    guard let type = all.first(where: { $0.name == name }) else {
      throw AlgorithmError("algorithm: expected one of \(names.joined(separator: ", ")), found \(name)")
    }
    try options.validate()
    return try type.init(options)
  }
}

/// A method's state as JSON, the same bytes for the same state.
func encodedState(_ state: some Encodable) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  return try encoder.encode(state)
}
