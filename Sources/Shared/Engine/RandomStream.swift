// Random numbers without global state. A stream is a key and a counter (Philox), so the same seed and labels give the
// same numbers on every machine and in every order of execution.

internal import CKernels

/// A stream of random numbers. It is a value: a copy continues independently.
package struct RandomStream: Sendable, Hashable, Codable {
  private var key: UInt64
  private var counter: UInt64 = 0

  /// The constant is "Stepwise" in ASCII: with it the key of seed 0 is not that of other programs that use SplitMix64.
  package init(seed: UInt64) { key = RandomStream.mixed(seed ^ 0x5374_6570_7769_7365) }

  /// A stream for one purpose, named by a label and numbers; it begins at its first number.
  ///
  /// The bytes of the label, its end, and the numbers are mixed into the 64-bit key one after the other. The end of a
  /// label and the beginning of a number are marked by values that no byte has, so different sequences of labels and
  /// numbers give different streams, but for a probability of 2^-64: `fork("a").fork("b")` is not `fork("ab")`.
  package func fork(_ label: String, _ numbers: Int...) -> RandomStream {
    var stream = self
    for byte in label.utf8 { stream.key = RandomStream.mixed(stream.key &+ UInt64(byte)) }
    stream.key = RandomStream.mixed(stream.key &+ 0x100)
    for number in numbers {
      stream.key = RandomStream.mixed(stream.key &+ 0x101)
      stream.key = RandomStream.mixed(stream.key &+ UInt64(bitPattern: Int64(number)))
    }
    stream.counter = 0
    return stream
  }

  /// Reserves the numbers of one draw. Philox makes blocks of four, and every draw begins with a new block.
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

  package mutating func uniform() -> Float { uniform([1]).item }

  /// A uniform integer in 0..<limit, from 64 random bits: the bias is at most limit / 2^64.
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

  /// One step of SplitMix64 (Steele et al., OOPSLA 2014): the increment is 2^64 divided by the golden ratio, the other
  /// constants are Stafford's variant 13 of the finalizer. It is a bijection.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
