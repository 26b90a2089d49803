// The journal's format: records one after another, each with a CRC-32C of its header and of its payload. Reading tells
// complete records, damage in the middle, and a tail that a crash cut short.
//
//     magic "SWJ1"  u32    type u32    length u64    number u64    crc of these 24 bytes u32
//     payload       length bytes
//     crc of the payload u32

internal import Durable

enum JournalRecordType: UInt32 {
  /// An encoded `Message` of a trajectory group; the record's number is the group's.
  case group = 1
  /// Numbers of groups that were stored earlier and dropped since, as ranges of first and last number, u64 each. Every
  /// journal begins with such a record.
  case marks = 2
}

struct JournalRecord: Equatable {
  let type: JournalRecordType
  let number: Int
  let range: Range<Int>

  static let headerSize = 28
  var payload: Range<Int> { range.lowerBound + Self.headerSize..<range.upperBound - 4 }

  static func encode(_ type: JournalRecordType, number: Int, payload: [UInt8]) -> [UInt8] {
    let (header, checksum) = frame(
      type, number: number, byteCount: payload.count, checksum: CRC32C.checksum(payload))
    return header + payload + checksum
  }

  /// The bytes before and after a record's payload. The payload is large and is written without a copy.
  static func frame(
    _ type: JournalRecordType, number: Int, byteCount: Int, checksum: UInt32
  ) -> (header: [UInt8], checksum: [UInt8]) {
    var header = Array("SWJ1".utf8)
    header += littleEndian(type.rawValue) + littleEndian(UInt64(byteCount)) + littleEndian(UInt64(number))
    header += littleEndian(CRC32C.checksum(header))
    return (header, littleEndian(checksum))
  }

  static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

struct JournalContent {
  private(set) var records: [JournalRecord] = []
  /// Parts in the middle that are not valid records.
  private(set) var damaged: [Range<Int>] = []
  /// The start of the part that a crash cut short; the end of the file when there is none.
  private(set) var end = 0

  /// Reads a whole file. A part that is not a valid record is damage if a valid record follows it, else the tail.
  init(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    var firstBad: Int?
    while offset < bytes.count {
      if let record = Self.record(at: offset, in: bytes) {
        if let start = firstBad { damaged.append(start..<offset) }
        firstBad = nil
        records.append(record)
        offset = record.range.upperBound
        end = offset
      } else {
        firstBad = firstBad ?? offset
        offset = Self.nextMagic(after: offset, in: bytes) ?? bytes.count
      }
    }
  }

  private static func nextMagic(after offset: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
    var start = offset + 1
    while start + JournalRecord.headerSize <= bytes.count {
      if bytes[start] == 0x53, bytes[start + 1] == 0x57, bytes[start + 2] == 0x4A, bytes[start + 3] == 0x31 {
        return start
      }
      start += 1
    }
    return nil
  }

  /// The record that begins here; nil if its header or payload is not intact.
  private static func record(at offset: Int, in bytes: UnsafeRawBufferPointer) -> JournalRecord? {
    func number<Number: FixedWidthInteger>(_ position: Int) -> Number {
      Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + position, as: Number.self))
    }
    let available = bytes.count - offset
    guard available >= JournalRecord.headerSize + 4 else { return nil }
    let header = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 24])
    guard header.prefix(4).elementsEqual("SWJ1".utf8), CRC32C.checksum(header) == number(24) as UInt32,
      let type = JournalRecordType(rawValue: number(4))
    else { return nil }
    let length: UInt64 = number(8)
    let key: UInt64 = number(16)
    guard length <= UInt64(available - JournalRecord.headerSize - 4), key <= UInt64(Int.max) else { return nil }
    let record = JournalRecord(
      type: type, number: Int(key), range: offset..<offset + JournalRecord.headerSize + Int(length) + 4)
    let payload = UnsafeRawBufferPointer(rebasing: bytes[record.payload])
    let stored = bytes.loadUnaligned(fromByteOffset: record.payload.upperBound, as: UInt32.self)
    return CRC32C.checksum(payload) == UInt32(littleEndian: stored) ? record : nil
  }
}

/// A set of numbers kept as ranges. Groups are numbered consecutively, so there are few ranges.
struct NumberSet: Equatable {
  private(set) var ranges: [ClosedRange<Int>] = []

  func contains(_ number: Int) -> Bool {
    let after = ranges.partitioningIndex { $0.lowerBound > number }
    return after > 0 && ranges[after - 1].upperBound >= number
  }

  var count: Int { ranges.reduce(0) { $0 + $1.count } }

  mutating func insert(_ number: Int) { insert(number...number) }

  mutating func insert(_ range: ClosedRange<Int>) {
    let first = ranges.partitioningIndex { $0.upperBound >= range.lowerBound - 1 }
    let last = ranges.partitioningIndex { $0.lowerBound > range.upperBound + 1 }
    let merged = ranges[first..<last].reduce(range) {
      min($0.lowerBound, $1.lowerBound)...max($0.upperBound, $1.upperBound)
    }
    ranges.replaceSubrange(first..<last, with: [merged])
  }

  var encoded: [UInt8] {
    ranges.flatMap {
      JournalRecord.littleEndian(UInt64($0.lowerBound)) + JournalRecord.littleEndian(UInt64($0.upperBound))
    }
  }

  init() {}

  /// Nil when the bytes are not ranges.
  init?(encoded bytes: [UInt8]) {
    guard bytes.count % 16 == 0 else { return nil }
    let numbers = bytes.withUnsafeBytes { buffer in
      stride(from: 0, to: buffer.count, by: 8).map {
        UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: $0, as: UInt64.self))
      }
    }
    for index in stride(from: 0, to: numbers.count, by: 2) {
      guard numbers[index] <= numbers[index + 1], numbers[index + 1] < UInt64(Int.max) else { return nil }
      insert(Int(numbers[index])...Int(numbers[index + 1]))
    }
  }
}

extension Array {
  /// Index of the first element that meets the condition; all elements after it must meet it too.
  fileprivate func partitioningIndex(where condition: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if condition(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
