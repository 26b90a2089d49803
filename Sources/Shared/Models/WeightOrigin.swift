// Where the weights of a model folder come from: its files, or, to measure a network without downloading it, random
// numbers of the scale that PyTorch gives to new layers.

internal import Engine
internal import Foundation
internal import Layers

/// Where the weights of a model folder come from.
package enum WeightOrigin: Sendable, Equatable {
  /// The folder's safetensors files.
  case files
  /// New ones: uniform in ±1/√fan-in for linear layers and convolutions, 1 and 0 for norms. The folder needs no more
  /// than its config.json; the same seed gives the same weights.
  case random(seed: UInt64)

  /// The weights of one part of a model.
  ///
  /// - Throws: `SafetensorsError` when the files are wanted and absent or broken.
  func source(folder: URL, named name: String) throws -> ParameterSource {
    switch self {
    case .files: ParameterSource(checkpoint: try SafetensorsFile(folder: folder, named: name))
    case .random(let seed):
      ParameterSource(random: RandomStream(seed: seed).fork("weights").fork(folder.lastPathComponent))
    }
  }
}
