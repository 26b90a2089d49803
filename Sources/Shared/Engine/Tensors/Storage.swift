// The memory of tensors: 64-byte aligned, freed with its last reference. It is written only while it has one owner,
// before the tensor that holds it is returned, which makes it safe to share between tasks.

internal import CKernels

final class Storage: @unchecked Sendable {  // immutable once a Tensor holds it, see above
  let pointer: UnsafeMutablePointer<Float>
  let count: Int

  init(count: Int) {
    self.count = count
    pointer = sw_allocate(Int64(count))
  }

  /// - Parameter pointer: memory from `sw_allocate`, completely written.
  init(adopting pointer: UnsafeMutablePointer<Float>, count: Int) {
    self.count = count
    self.pointer = pointer
  }

  deinit { sw_free(pointer) }
}
