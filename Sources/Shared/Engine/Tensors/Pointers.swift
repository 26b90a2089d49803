// Access to the memory of tensors for operations: a pointer is valid only inside the closure, while its tensor is
// alive.

internal import CKernels

@inline(__always)
func withPointers<R>(_ a: Tensor, _ body: (UnsafePointer<Float>) -> R) -> R {
  withExtendedLifetime(a.storage) { body(a.pointer) }
}

@inline(__always)
func withPointers<R>(_ a: Tensor, _ b: Tensor, _ body: (UnsafePointer<Float>, UnsafePointer<Float>) -> R) -> R {
  withPointers(a) { a in withPointers(b) { b in body(a, b) } }
}

@inline(__always)
func withPointers<R>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor,
  _ body: (UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) -> R
) -> R {
  withPointers(a, b) { a, b in withPointers(c) { c in body(a, b, c) } }
}

@inline(__always)
func withOptionalPointer<R>(_ a: Tensor?, _ body: (UnsafePointer<Float>?) -> R) -> R {
  guard let a else { return body(nil) }
  return withPointers(a) { body($0) }
}

extension Tensor {
  /// A new tensor; `body` must write all of its elements.
  @inline(__always)
  static func make(_ shape: [Int], _ body: (UnsafeMutablePointer<Float>) -> Void) -> Tensor {
    let storage = Storage(count: shape.product)
    withExtendedLifetime(storage) { body(storage.pointer) }
    return Tensor(storage: storage, shape: shape)
  }

  /// Adds another tensor of the same shape, in place when this tensor is the only owner of its memory.
  mutating func accumulate(_ other: Tensor) {
    check(shape == other.shape, "accumulate: shapes \(shape) and \(other.shape) differ")
    if isKnownUniquelyReferenced(&storage) {
      withPointers(other) { sw_axpy(Int64(count), 1, $0, storage.pointer + offset) }
    } else {
      self = detached + other.detached
    }
  }

  /// The sum of the squares of all elements, in float within blocks of 4,096 and in double over the blocks.
  package var sumOfSquares: Double { withPointers(self) { sw_sum_of_squares(Int64(count), $0) } }

  /// Copies the memory if it is shared, so that a write to this tensor does not change others.
  mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) { self = Tensor(values, shape: shape) }
  }
}

extension Tensor? {
  /// Adds in place where possible: taking the value out of the optional first leaves it with one owner.
  mutating func accumulate(_ part: Tensor) {
    guard var total = take() else {
      self = part
      return
    }
    total.accumulate(part)
    self = total
  }
}
