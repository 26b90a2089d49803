// Scores are comparable only when the same weights made them, so a scorer's version names its weights.

internal import Foundation

/// 64-bit FNV-1a over a file's words, as hexadecimal digits: tells files apart, is no protection against forgery.
///
/// - Throws: when the file cannot be read.
func fingerprint(of file: URL) throws -> String {
  let data = try Data(contentsOf: file, options: .alwaysMapped)
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  data.withUnsafeBytes { bytes in
    for offset in stride(from: 0, to: bytes.count & ~7, by: 8) {
      hash = (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01B3
      hash ^= hash >> 32
    }
    for offset in (bytes.count & ~7)..<bytes.count { hash = (hash ^ UInt64(bytes[offset])) &* 0x100_0000_01B3 }
  }
  return String(hash, radix: 16)
}

/// The fingerprint of a transformers folder's weights.
func fingerprint(ofWeightsIn folder: URL) throws -> String {
  let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    .filter { $0.hasSuffix(".safetensors") }.sorted()
  return try names.map { try fingerprint(of: folder.appendingPathComponent($0)) }.joined(separator: "-")
}
