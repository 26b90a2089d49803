// The checksum of the records in files: the replay's journals and segments, TensorBoard's events.

internal import CChecksum

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
package enum CRC32C {
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { sw_crc32c(bytes.baseAddress, bytes.count) }

  package static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
}
