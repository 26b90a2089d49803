// The checksum of journal records.

internal import CChecksum

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
enum CRC32C {
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { sw_crc32c(bytes.baseAddress, bytes.count) }
}
