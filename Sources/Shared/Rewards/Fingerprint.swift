// Scores are comparable only if they come from the same weights, so a scorer's version contains a hash of its weights.

internal import Foundation

/// A 64-bit hash of a file as hexadecimal digits. It follows FNV-1a, but takes 8 bytes at a time and folds the upper
/// half into the lower after each, so its values are not those of FNV-1a. It tells files apart, but does not protect
/// against forgery.
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

func fingerprint(ofWeightsIn folder: URL) throws -> String {
  let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    .filter { $0.hasSuffix(".safetensors") }.sorted()
  return try names.map { try fingerprint(of: folder.appendingPathComponent($0)) }.joined(separator: "-")
}
