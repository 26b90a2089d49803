// Memory that other code fills, such as the decoder of a message, and that becomes a tensor without a copy.

internal import CKernels

/// Memory for the elements of a future tensor. Memory from `allocate` must be passed either to `deallocate` or to
/// `Tensor.adopting`, once.
package enum TensorMemory {
  /// Memory of `byteCount` bytes, 64-byte aligned, from the allocator of tensors. Stops the program when there is none.
  package static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(sw_allocate(Int64((byteCount + 3) / 4)))
  }

  package static func deallocate(_ memory: UnsafeMutableRawPointer) {
    sw_free(memory.assumingMemoryBound(to: Float.self))
  }
}

extension Tensor {
  /// A tensor that takes over memory from `TensorMemory`, whose elements must all be written; and whether all elements
  /// are finite.
  package static func adopting(_ memory: UnsafeMutableRawPointer, shape: [Int]) -> (tensor: Tensor, isFinite: Bool) {
    let count = shape.product
    let elements = memory.bindMemory(to: Float.self, capacity: count)
    let isFinite = sw_is_finite(Int64(count), elements) != 0
    return (Tensor(storage: Storage(adopting: elements, count: count), shape: shape), isFinite)
  }
}
