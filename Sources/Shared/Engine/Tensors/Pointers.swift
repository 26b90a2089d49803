// How operations reach memory: pointers are only handed out while their tensors are held.

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
  /// A new tensor whose elements `body` writes, all of them.
  @inline(__always)
  static func make(_ shape: [Int], _ body: (UnsafeMutablePointer<Float>) -> Void) -> Tensor {
    let storage = Storage(count: shape.product)
    withExtendedLifetime(storage) { body(storage.pointer) }
    return Tensor(storage: storage, shape: shape)
  }

  /// Adds another tensor of the same shape, in place when nobody else holds this one's memory.
  mutating func accumulate(_ other: Tensor) {
    check(shape == other.shape, "accumulate: shapes \(shape) and \(other.shape) differ")
    if isKnownUniquelyReferenced(&storage) {
      withPointers(other) { sw_axpy(Int64(count), 1, $0, storage.pointer + offset) }
    } else {
      self = detached + other.detached
    }
  }
}

extension Tensor {
  /// Sum of the squares of all elements, in double precision over blocks.
  package var sumOfSquares: Double { withPointers(self) { sw_sum_of_squares(Int64(count), $0) } }

  /// Makes the memory this tensor's own: values handed out before stay as they were.
  mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) { self = Tensor.init(values, shape: shape) }
  }
}
