import Engine
import Foundation
import Messages
import Testing

@Suite
struct MutationTests {
  /// Resident memory of this process, in bytes.
  private func residentMemory() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return try #require(Int(fields[1])) * 4096
  }

  /// scripts/fuzz.sh sets a larger number.
  private var rounds: Int { ProcessInfo.processInfo.environment["STEPWISE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 100_000 }

  @Test func `mutated messages are decoded or refused without growing memory`() throws {
    let seed = ProcessInfo.processInfo.environment["STEPWISE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 2
    var random = RandomStream(seed: seed).fork("mutations")
    let originals = examples.map { $0.encode() }
    var valid = 0
    var refused = 0
    let before = try residentMemory()
    for round in 0..<rounds {
      var bytes = originals[round % originals.count]
      for _ in 0...random.integer(below: 4) { mutate(&bytes, &random) }
      do {
        // An accepted message can be encoded again.
        _ = try Message(decoding: bytes, from: "fuzz").encode()
        valid += 1
      } catch let error as MessageError {
        #expect(error.peer == "fuzz")
        refused += 1
      }
    }
    print("\(rounds) mutated messages: \(valid) valid, \(refused) refused")
    #expect(valid + refused == rounds)
    #expect(valid > 1_000)
    #expect(refused > 10_000)
    let after = try residentMemory()
    // The bound is loose, because other suites run in this process at the same time. A megabyte per message would be
    // 100 GiB.
    #expect(after - before < 512 << 20, "grew by \((after - before) >> 20) MiB")
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout RandomStream) {
    guard !bytes.isEmpty else {
      bytes = [UInt8(random.integer(below: 256))]
      return
    }
    let index = random.integer(below: bytes.count)
    switch random.integer(below: 7) {
    case 0: bytes[index] ^= 1 << UInt8(random.integer(below: 8))
    case 1: bytes[index] = UInt8(random.integer(below: 256))
    case 2: bytes.removeSubrange(index...)
    case 3: bytes.insert(UInt8(random.integer(below: 256)), at: index)
    case 4: bytes.removeSubrange(index..<min(index + 1 + random.integer(below: 8), bytes.count))
    case 5:
      bytes.insert(contentsOf: bytes[index..<min(index + 32, bytes.count)], at: random.integer(below: bytes.count))
    default: bytes[index] = [0x00, 0x7F, 0x80, 0xFF][random.integer(below: 4)]
    }
  }
}
