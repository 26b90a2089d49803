// A tensor is an immutable, contiguous, row-major float32 array. It is a Sendable value; what a gradient tape knows of
// it is only a number (`node`), so a tensor never keeps a tape alive.

internal import CKernels

/// A float32 array of any rank, row-major and contiguous.
package struct Tensor: Sendable {
  /// Extents, outermost first. A scalar has shape `[]`.
  package let shape: [Int]
  var storage: Storage
  let offset: Int
  /// Where the tape in force recorded this value; nil for constants.
  var node: Node?

  init(storage: Storage, offset: Int = 0, shape: [Int]) {
    self.storage = storage
    self.offset = offset
    self.shape = shape
  }

  /// Values in row-major order. Stops the program when their number is not that of the shape.
  package init(_ values: [Float], shape: [Int]) {
    check(values.count == shape.product, "Tensor: \(values.count) values do not fill shape \(shape)")
    self.init(shape: shape) { buffer in _ = buffer.update(fromContentsOf: values) }
  }

  /// A scalar, shape `[]`.
  package init(_ value: Float) {
    self.init([value], shape: [])
  }

  /// The same value everywhere.
  package init(repeating value: Float, shape: [Int]) {
    self.init(shape: shape) { $0.update(repeating: value) }
  }

  /// Filled by `body`, which must write every element.
  package init(shape: [Int], initializing body: (UnsafeMutableBufferPointer<Float>) throws -> Void) rethrows {
    check(shape.allSatisfy { $0 >= 0 }, "Tensor: a negative extent in shape \(shape)")
    let storage = Storage(count: shape.product)
    try body(UnsafeMutableBufferPointer(start: storage.pointer, count: storage.count))
    self.init(storage: storage, shape: shape)
  }

  /// 0 everywhere.
  package static func zeros(_ shape: [Int]) -> Tensor { Tensor(repeating: 0, shape: shape) }
  /// 1 everywhere.
  package static func ones(_ shape: [Int]) -> Tensor { Tensor(repeating: 1, shape: shape) }

  /// Number of elements.
  package var count: Int { shape.product }

  /// Whether this value alone holds its memory, and all of it: what is done to it nobody else can see.
  var isHeldOnce: Bool {
    mutating get { isKnownUniquelyReferenced(&storage) && offset == 0 && storage.count == count }
  }

  /// Number of axes.
  package var rank: Int { shape.count }

  /// The elements in row-major order.
  package var values: [Float] { withUnsafeBuffer { Array($0) } }

  /// The value of a tensor with one element.
  package var item: Float {
    check(count == 1, "item: shape \(shape) has \(count) elements, not one")
    return pointer[0]
  }

  /// Calls `body` with the elements in row-major order; they must not be kept.
  package func withUnsafeBuffer<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(storage) {
      try body(UnsafeBufferPointer(start: storage.pointer + offset, count: count))
    }
  }

  /// The elements in row-major order, there as long as this value or a copy of it lives; whoever keeps the buffer keeps
  /// one.
  package var unsafeBuffer: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: storage.pointer + offset, count: count)
  }

  /// The same value without its place on a tape: gradients do not flow through.
  package var detached: Tensor {
    var copy = self
    copy.node = nil
    return copy
  }

  var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer + offset) }
}

extension Array where Element == Int {
  /// Number of elements of a shape.
  package var product: Int { reduce(1, *) }
}

/// Stops the program with what went wrong, in release builds too, where `precondition` says nothing.
@inline(__always)
package func check(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #file, line: UInt = #line
) {
  if !condition { fatalError(message(), file: file, line: line) }
}
