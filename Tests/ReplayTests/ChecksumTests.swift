import CChecksum
import Engine
import Testing

@Suite struct ChecksumTests {
  private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { sw_crc32c($0.baseAddress, $0.count) } }

  @Test func `matches the values of RFC 3720, appendix B.4`() {
    #expect(checksum([]) == 0)
    #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(checksum(Array(0..<32)) == 0x46DD_794E)
    #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test func `the instruction and the tables agree at every size and alignment`() {
    var random = RandomStream(seed: 3).fork("checksum")
    let bytes = (0..<40_000).map { _ in UInt8(random.integer(below: 256)) }
    bytes.withUnsafeBytes { all in
      let sizes = Array(0..<64) + [4_095, 4_096, 12_287, 12_288, 12_289, 24_576, 24_583, 36_864, 39_991]
      for size in sizes {
        for start in 0..<9 {
          let part = all.baseAddress! + start
          #expect(sw_crc32c(part, size) == sw_crc32c_by_tables(part, size), "\(size) bytes from \(start)")
        }
      }
    }
  }
}
