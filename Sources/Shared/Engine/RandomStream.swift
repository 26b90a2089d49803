// Random numbers are an argument: a stream is a key and a count (Philox), so the same seed and labels give the same
// numbers on any machine, in any order of work.

internal import CKernels

/// A stream of random numbers, a value: a copy continues on its own.
package struct RandomStream: Sendable, Hashable, Codable {
  private var key: UInt64
  private var counter: UInt64 = 0

  package init(seed: UInt64) { key = RandomStream.mixed(seed ^ 0x5374_6570_7769_7365) }

  /// An independent stream for a purpose: streams of different labels or numbers never meet.
  package func fork(_ label: String, _ numbers: Int...) -> RandomStream {
    var stream = self
    for byte in label.utf8 { stream.key = RandomStream.mixed(stream.key ^ UInt64(byte)) }
    for number in numbers { stream.key = RandomStream.mixed(stream.key &+ UInt64(bitPattern: Int64(number)) &+ 1) }
    stream.counter = 0
    return stream
  }

  /// Numbers drawn so far are kept apart in blocks of four: a draw always begins a new block.
  private mutating func advance(_ count: Int) -> UInt64 {
    defer { counter &+= UInt64((count + 3) / 4) }
    return counter
  }

  /// Normal numbers of mean 0 and variance 1.
  package mutating func normal(_ shape: [Int]) -> Tensor {
    let start = advance(shape.product), key = key
    return Tensor.make(shape) { sw_philox_normal(key, start, Int64(shape.product), $0) }
  }

  /// Uniform numbers in 0..<1.
  package mutating func uniform(_ shape: [Int]) -> Tensor {
    let start = advance(shape.product), key = key
    return Tensor.make(shape) { sw_philox_uniform(key, start, Int64(shape.product), $0) }
  }

  /// One uniform number in 0..<1.
  package mutating func uniform() -> Float { uniform([1]).item }

  /// A uniform integer in 0..<limit.
  package mutating func integer(below limit: Int) -> Int {
    check(limit > 0, "integer(below:): the limit \(limit) must be positive")
    let block = RandomStream.philoxBlock(key: key, counter: advance(4))
    let wide = UInt64(block[0]) << 32 | UInt64(block[1])
    return Int(wide.multipliedFullWidth(by: UInt64(limit)).high)
  }

  /// The numbers 0..<count in random order (Fisher-Yates).
  package mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, integer(below: last + 1)) }
    return order
  }

  /// One block of Philox 4x32-10: four 32-bit numbers.
  package static func philoxBlock(key: UInt64, counter: UInt64) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: 4) { block, count in
      sw_philox(key, counter, block.baseAddress)
      count = 4
    }
  }

  /// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014).
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
