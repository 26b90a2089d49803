// The origin of a model's weights: the files of its folder, or random numbers with the scale that PyTorch gives to new
// layers, so that a network can be measured without downloading it.

internal import Engine
internal import Foundation
internal import Layers

package enum WeightOrigin: Sendable, Equatable {
  /// The folder's safetensors files.
  case files
  /// Random weights: uniform in ±1/√fan-in for linear layers and convolutions, 1 and 0 for norms. The folder needs only
  /// its config.json; the same seed gives the same weights.
  case random(seed: UInt64)

  func source(folder: URL, named name: String) throws -> ParameterSource {
    switch self {
    case .files: ParameterSource(checkpoint: try SafetensorsFile(folder: folder, named: name))
    case .random(let seed):
      ParameterSource(random: RandomStream(seed: seed).fork("weights").fork(folder.lastPathComponent))
    }
  }
}
