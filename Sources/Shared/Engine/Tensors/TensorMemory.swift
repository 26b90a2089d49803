// Memory that others fill, such as the reader of a message, and that becomes a tensor without a copy.

internal import CKernels

/// Memory for the elements of a tensor to be. What `allocate` gave belongs either to `deallocate` or to one tensor.
package enum TensorMemory {
  /// Room for so many bytes, aligned to 64, from where all tensors have theirs. Stops the program when there is none.
  package static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(sw_allocate(Int64((byteCount + 3) / 4)))
  }

  /// Gives back what `allocate` gave.
  package static func deallocate(_ memory: UnsafeMutableRawPointer) {
    sw_free(memory.assumingMemoryBound(to: Float.self))
  }
}

extension Tensor {
  /// A tensor whose elements, all written, lie in memory of `TensorMemory`, which is the tensor's from now on; and
  /// whether all of them are finite.
  package static func adopting(_ memory: UnsafeMutableRawPointer, shape: [Int]) -> (tensor: Tensor, isFinite: Bool) {
    let count = shape.product
    let elements = memory.bindMemory(to: Float.self, capacity: count)
    let isFinite = sw_is_finite(Int64(count), elements) != 0
    return (Tensor(storage: Storage(adopting: elements, count: count), shape: shape), isFinite)
  }
}
