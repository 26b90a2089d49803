// The path of a field in a message, for errors, and the checks of every value that a peer sends. Sizes are computed
// with overflow checks before memory is allocated.

internal import CMessages
internal import Engine

/// The path of a field in a message that is being read. The methods read and check its sub-fields.
struct FieldPath {
  let peer: String
  /// For example `work.assignments[2]`; empty for the envelope.
  let path: String

  func field(_ name: String) -> FieldPath { FieldPath(peer: peer, path: path.isEmpty ? name : "\(path).\(name)") }
  func element(_ index: Int) -> FieldPath { FieldPath(peer: peer, path: "\(path)[\(index)]") }

  func failure(_ name: String, _ problem: String) -> MessageError {
    MessageError(peer: peer, field: field(name).path, problem: problem)
  }

  func require(_ condition: Bool, _ name: String, _ problem: @autoclosure () -> String) throws {
    if !condition { throw failure(name, problem()) }
  }

  /// Longest text, in bytes.
  static let longestText = 1 << 16
  /// Larger numbers would not be exact in tools that read them as doubles.
  static let largestNumber: UInt64 = 1 << 53

  // MARK: Single values

  func text(_ pointer: UnsafeMutablePointer<CChar>?, _ name: String, mayBeEmpty: Bool = false) throws -> String {
    guard let pointer else { return try text(of: "", name, mayBeEmpty) }
    guard let text = String(validatingCString: pointer) else {
      throw failure(name, "expected UTF-8 text, found other bytes")
    }
    return try self.text(of: text, name, mayBeEmpty)
  }

  private func text(of text: String, _ name: String, _ mayBeEmpty: Bool) throws -> String {
    try require(mayBeEmpty || !text.isEmpty, name, "expected a text, found an empty one")
    let count = text.utf8.count
    try require(count <= Self.longestText, name, "expected at most \(Self.longestText) bytes of text, found \(count)")
    return text
  }

  func number(_ value: UInt64, _ name: String) throws -> Int {
    try require(value <= Self.largestNumber, name, "expected a number up to 2^53, found \(value)")
    return Int(value)
  }

  func number(_ value: UInt32, _ name: String, in range: ClosedRange<Int> = 0...Int(UInt32.max)) throws -> Int {
    let number = Int(value)
    try require(range.contains(number), name, "expected a number in \(range), found \(number)")
    return number
  }

  func finite(_ value: Float, _ name: String) throws -> Float {
    try require(value.isFinite, name, "expected a finite number, found \(value)")
    return value
  }

  // MARK: Repeated values

  func texts(
    _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ name: String
  ) throws -> [String] {
    try (0..<count).map { try text(pointer?[$0], "\(name)[\($0)]") }
  }

  func numbers(_ pointer: UnsafeMutablePointer<UInt64>?, _ count: Int, _ name: String) throws -> [Int] {
    try UnsafeBufferPointer(start: pointer, count: count).enumerated().map { try number($1, "\(name)[\($0)]") }
  }

  func numbers(_ pointer: UnsafeMutablePointer<UInt32>?, _ count: Int) -> [Int] {
    UnsafeBufferPointer(start: pointer, count: count).map { Int($0) }
  }

  func finite(_ pointer: UnsafeMutablePointer<Float>?, _ count: Int, _ name: String) throws -> [Float] {
    let values = UnsafeBufferPointer(start: pointer, count: count)
    if let index = values.firstNonFinite {
      throw failure("\(name)[\(index)]", "expected a finite number, found \(values[index])")
    }
    return Array(values)
  }
}

extension UnsafeBufferPointer<Float> {
  /// Index of the first NaN or infinity, which have all exponent bits set. The loop has no branches, so that it is
  /// limited by memory bandwidth.
  var firstNonFinite: Int? {
    let mask: UInt32 = 0x7F80_0000
    var found: UInt32 = 0
    for value in self { found |= (value.bitPattern & mask) == mask ? 1 : 0 }
    return found == 0 ? nil : firstIndex { !$0.isFinite }
  }
}
