import Engine
import Foundation
import Messages
import Testing

@Suite("Hostile bytes")
struct MutationTests {
  /// Resident memory of this process, in bytes.
  private func residentMemory() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return try #require(Int(fields[1])) * 4096
  }

  /// More by scripts/fuzz.sh.
  private var rounds: Int { ProcessInfo.processInfo.environment["STEPWISE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 100_000 }

  @Test("Mutated messages give a valid message or an error, and memory stays where it was")
  func mutations() throws {
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
        // What is accepted can be sent on.
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
    // Other suites run in this process meanwhile; as many messages that each got the megabyte they ask for would be 100
    // GiB.
    #expect(after - before < 512 << 20, "grew by \((after - before) >> 20) MiB")
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout RandomStream) {
    guard !bytes.isEmpty else {
      bytes = [UInt8(random.integer(below: 256))]
      return
    }
    let place = random.integer(below: bytes.count)
    switch random.integer(below: 7) {
    case 0: bytes[place] ^= 1 << UInt8(random.integer(below: 8))
    case 1: bytes[place] = UInt8(random.integer(below: 256))
    case 2: bytes.removeSubrange(place...)
    case 3: bytes.insert(UInt8(random.integer(below: 256)), at: place)
    case 4: bytes.removeSubrange(place..<min(place + 1 + random.integer(below: 8), bytes.count))
    case 5:
      bytes.insert(contentsOf: bytes[place..<min(place + 32, bytes.count)], at: random.integer(below: bytes.count))
    default: bytes[place] = [0x00, 0x7F, 0x80, 0xFF][random.integer(below: 4)]
    }
  }
}
