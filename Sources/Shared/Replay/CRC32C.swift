// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes a step (Kounavis and Berry, ISCC 2005).

/// The checksum of journal records.
enum CRC32C {
  /// Eight tables of 256: `table[k][b]` is the checksum of byte b followed by k zeros.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = (value & 1) == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
      tables[byte] = value
    }
    for k in 1..<8 {
      for byte in 0..<256 {
        let previous = tables[(k - 1) * 256 + byte]
        tables[k * 256 + byte] = (previous >> 8) ^ tables[Int(previous & 255)]
      }
    }
    return tables
  }()

  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { table in
      var crc: UInt32 = 0xFFFF_FFFF
      var index = 0
      while bytes.count &- index >= 8 {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
        crc = 0
        for k in 0..<8 { crc ^= table[(7 &- k) &* 256 &+ Int(truncatingIfNeeded: (word >> UInt64(8 &* k)) & 255)] }
        index &+= 8
      }
      while index < bytes.count {
        crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[index])) & 255)]
        index &+= 1
      }
      return ~crc
    }
  }

  static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
    Array(bytes).withUnsafeBytes { checksum($0) }
  }
}
