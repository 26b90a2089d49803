// A short name of a model, equal on all machines that hold the same files, whatever their folders are called. The hash
// is FNV-1a: it tells models apart, but does not protect against forgery.

internal import Foundation

/// A 64-bit FNV-1a hash of a model folder: of all configurations and the vocabulary, and of 64 samples of each weights
/// file (the first one is its header), or of the seed that random weights were drawn with.
struct ModelFingerprint: CustomStringConvertible {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  /// - Parameter ownTokenizer: whether the folder's own tokenizer is used.
  /// - Throws: `ModelConfigurationError` naming the first file that is missing.
  init(folder: URL, weights: WeightOrigin, ownTokenizer: Bool) throws {
    let words = ["tokenizer/vocab.json", "tokenizer/tokenizer.json"]
    let found = words.first { FileManager.default.fileExists(atPath: folder.appending(path: $0).path) } ?? words[0]
    let tokenizer = ownTokenizer ? [found] : []
    for part in ["model_index.json", "scheduler/scheduler_config.json"] + tokenizer {
      add(try ModelFingerprint.contents(folder.appending(path: part)))
    }
    for part in ["text_encoder", "unet", "vae"] {
      let directory = folder.appending(path: part)
      add(try ModelFingerprint.contents(directory.appending(path: "config.json")))
      switch weights {
      case .random(let seed): add("random \(seed)".utf8)
      case .files:
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        for name in names.sorted() where name.hasSuffix(".safetensors") {
          try addSamples(of: directory.appending(path: name))
        }
      }
    }
  }

  var description: String { String(format: "%016llx", state) }

  private static func contents(_ file: URL) throws -> Data {
    guard let data = try? Data(contentsOf: file, options: .alwaysMapped) else {
      throw ModelConfigurationError(
        description: "\(file.path): could not read this part of a diffusers model folder")
    }
    return data
  }

  /// FNV-1a (Fowler, Noll and Vo), 64 bits.
  private mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  private mutating func addSamples(of file: URL) throws {
    let data = try ModelFingerprint.contents(file)
    withUnsafeBytes(of: UInt64(data.count).littleEndian) { add($0) }
    let length = min(4096, data.count)
    for sample in 0..<64 {
      let start = (data.count - length) / 63 * sample
      add(data[start..<start + length])
    }
  }
}
