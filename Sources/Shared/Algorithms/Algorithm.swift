// The interface between a method and the learner, and the registry of methods: a new method is a file, a case of
// `MethodName` and a line in `AlgorithmRegistry`. docs/adding-a-method.md shows an example.

package import Foundation
package import Settings

/// Which clean states of a trajectory are scored.
package enum Scoring: Sendable, Equatable {
  /// The first, the anchor and the last, for SDPO's dense rewards.
  case dense
  /// Only the last.
  case final
}

/// A method that learns from groups of trajectories. Its state belongs to the run's checkpoints.
package protocol Algorithm: Sendable {
  /// The value of `training.algorithm`.
  var name: MethodName { get }
  /// Which clean states it needs scores of.
  var scoring: Scoring { get }

  /// - Parameter settings: checked by `AlgorithmRegistry.make`.
  /// - Throws: `AlgorithmError` naming the setting that the method cannot work with.
  init(_ settings: MethodSettings) throws

  /// Trajectories that enter a loss together: 2 for pairs.
  var unitSize: Int { get }

  /// The step up to which the trajectories of a group share all states: 0, or where they branch.
  func branchStep(ofEpoch epoch: Int) -> Int

  /// The state between epochs, for a checkpoint.
  func state() throws -> Data
  /// Restores the state of a checkpoint.
  ///
  /// - Throws: `AlgorithmError` when it was made with other settings.
  mutating func restore(_ state: Data) throws
}

extension Algorithm {
  package var unitSize: Int { 1 }
  package func branchStep(ofEpoch epoch: Int) -> Int { 0 }
  package func state() throws -> Data { Data() }
  package mutating func restore(_ state: Data) throws {}
}

/// A setting or a state that a method cannot work with.
package struct AlgorithmError: Error, CustomStringConvertible, Equatable {
  package let description: String

  init(_ description: String) { self.description = description }
}

package enum AlgorithmRegistry {
  private static func type(of name: MethodName) -> any Algorithm.Type {
    switch name {
    case .sdpo: SDPO.self
    case .ddpo: DDPO.self
    case .b2DiffuRL: B2DiffuRL.self
    case .sqdf: SQDF.self
    case .draftK, .draftKL: DRaFT.self
    case .draftLV: DRaFTLowVariance.self
    case .refl: ReFL.self
    case .lasro: LaSRO.self
    }
  }

  /// The method `training.algorithm`, without state.
  ///
  /// - Throws: `AlgorithmError` naming every setting that the method cannot work with.
  package static func make(_ settings: MethodSettings) throws -> any Algorithm {
    let problems = settings.problems
    guard problems.isEmpty else { throw AlgorithmError(problems.joined(separator: "\n")) }
    return try type(of: settings.training.algorithm).init(settings)
  }
}

/// The steps of a trajectory that are trained: all of them, or all except the final one.
func trainedSteps(of steps: Int, finalStep: Bool) -> Range<Int> { 0..<(finalStep ? steps : steps - 1) }

/// A method's state as JSON; equal states give equal bytes.
func encodedState(_ state: some Encodable) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  return try encoder.encode(state)
}
