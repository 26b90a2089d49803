// A tensor is an immutable, contiguous, row-major float32 array. It is a Sendable value: it refers to a tape only by a
// number (`node`), so a tensor never keeps a tape alive.

internal import CKernels

/// The position of a value on a tape.
struct Node: Sendable {
  let tape: Int
  let index: Int
}

package struct Tensor: Sendable {
  /// Extents, outermost first. A scalar has shape `[]`.
  package let shape: [Int]
  var storage: Storage
  let offset: Int
  /// nil for constants.
  var node: Node?

  init(storage: Storage, offset: Int = 0, shape: [Int]) {
    self.storage = storage
    self.offset = offset
    self.shape = shape
  }

  /// Values in row-major order. Their number must be the product of the shape.
  package init(_ values: [Float], shape: [Int]) {
    check(
      values.count == shape.product,
      "Tensor: shape \(shape) needs \(shape.product) values, found \(values.count)")
    self.init(shape: shape) { buffer in _ = buffer.update(fromContentsOf: values) }
  }

  /// A scalar, shape `[]`.
  package init(_ value: Float) { self.init([value], shape: []) }

  package init(repeating value: Float, shape: [Int]) {
    self.init(shape: shape) { $0.update(repeating: value) }
  }

  /// A tensor whose elements are written by `body`, which must write all of them.
  package init(shape: [Int], initializing body: (UnsafeMutableBufferPointer<Float>) throws -> Void) rethrows {
    check(shape.allSatisfy { $0 >= 0 }, "Tensor: shape \(shape) has a negative extent")
    let storage = Storage(count: shape.product)
    try body(UnsafeMutableBufferPointer(start: storage.pointer, count: storage.count))
    self.init(storage: storage, shape: shape)
  }

  package static func zeros(_ shape: [Int]) -> Tensor { Tensor(repeating: 0, shape: shape) }
  package static func ones(_ shape: [Int]) -> Tensor { Tensor(repeating: 1, shape: shape) }

  package var count: Int { shape.product }

  /// Whether this tensor is the only owner of its memory and uses all of it, so that it may be overwritten.
  var isHeldOnce: Bool {
    mutating get { isKnownUniquelyReferenced(&storage) && offset == 0 && storage.count == count }
  }

  package var rank: Int { shape.count }

  package var values: [Float] { withUnsafeBuffer { Array($0) } }

  package var item: Float {
    check(count == 1, "item: expected one element, found shape \(shape)")
    return pointer[0]
  }

  /// Calls `body` with the elements in row-major order. The buffer is valid only inside `body`.
  package func withUnsafeBuffer<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(storage) {
      try body(UnsafeBufferPointer(start: storage.pointer + offset, count: count))
    }
  }

  /// The elements in row-major order. The buffer is valid while this tensor or a copy of it is alive, so the user of
  /// the buffer must keep one.
  package var unsafeBuffer: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: storage.pointer + offset, count: count)
  }

  /// The same value as a constant: no gradient flows through it.
  package var detached: Tensor {
    var copy = self
    copy.node = nil
    return copy
  }

  var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer + offset) }
}

extension Array where Element == Int {
  package var product: Int { reduce(1, *) }
}

/// Stops the program with a message when a condition is false, in release builds too, where `precondition` prints
/// nothing.
@inline(__always)
package func check(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #file, line: UInt = #line
) {
  if !condition { fatalError(message(), file: file, line: line) }
}
