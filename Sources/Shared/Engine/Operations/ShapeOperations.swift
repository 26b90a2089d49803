// Reshaping, permuting, slicing and joining.

internal import CKernels

extension Tensor {
  /// The same memory with another shape, not tracked by a tape.
  func view(_ shape: [Int], offset: Int = 0) -> Tensor {
    Tensor(storage: storage, offset: self.offset + offset, shape: shape)
  }

  /// The same elements with another shape. One extent may be -1 and is computed from the others.
  package func reshaped(_ target: [Int]) -> Tensor {
    var shape = target
    if let free = target.firstIndex(of: -1) {
      let known = target.filter { $0 != -1 }.product
      check(known > 0 && count % known == 0, "reshaped: \(self.shape) cannot become \(target)")
      shape[free] = count / known
    }
    check(shape.product == count && !shape.contains(-1), "reshaped: \(self.shape) cannot become \(target)")
    return Tape.record(view(shape), from: [self]) { [old = self.shape] g in [g.view(old)] }
  }

  /// Axis i of the result is axis `axes[i]` of this tensor.
  package func permuted(_ axes: [Int]) -> Tensor {
    check(axes.sorted() == Array(0..<rank), "permuted: \(axes) is not a permutation of the axes of \(shape)")
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    let target = axes.map { shape[$0] }
    let y: Tensor
    if rank == 0 || count == 0 {
      y = view(target)
    } else {
      y = withPointers(self) { x in
        Tensor.make(target) { sw_permute(Int32(rank), target.map(Int64.init), axes.map { Int64(strides[$0]) }, x, $0) }
      }
    }
    var inverse = axes
    for (place, axis) in axes.enumerated() { inverse[axis] = place }
    return Tape.record(y, from: [self]) { [inverse] g in [g.permuted(inverse)] }
  }

  /// The elements in `range` along an axis.
  package func slice(axis: Int, _ range: Range<Int>) -> Tensor {
    check(
      axis >= 0 && axis < rank && range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "slice: \(range) is not within axis \(axis) of \(shape)")
    let outer = shape[..<axis].reduce(1, *), inner = shape[(axis + 1)...].reduce(1, *)
    var target = shape
    target[axis] = range.count
    let y: Tensor
    if outer == 1 {
      y = view(target, offset: range.lowerBound * inner)
    } else {
      y = withPointers(self) { x in
        Tensor.make(target) {
          sw_copy_rows(
            Int64(outer), Int64(range.count * inner), x + range.lowerBound * inner, Int64(shape[axis] * inner), $0,
            Int64(range.count * inner))
        }
      }
    }
    return Tape.record(y, from: [self]) { [shape] g in
      [
        withPointers(g) { pg in
          Tensor.make(shape) {
            $0.update(repeating: 0, count: shape.product)
            sw_copy_rows(
              Int64(outer), Int64(range.count * inner), pg, Int64(range.count * inner), $0 + range.lowerBound * inner,
              Int64(shape[axis] * inner))
          }
        }
      ]
    }
  }

  /// Joins tensors along an axis; all other axes must be equal.
  package static func concatenated(_ parts: [Tensor], axis: Int) -> Tensor {
    guard let first = parts.first else { fatalError("concatenated: expected at least one tensor") }
    let widths = parts.map { $0.shape[axis] }
    for part in parts {
      var expected = first.shape
      expected[axis] = part.shape[axis]
      check(part.shape == expected, "concatenated: \(first.shape) and \(part.shape) differ in more than axis \(axis)")
    }
    var target = first.shape
    target[axis] = widths.reduce(0, +)
    let outer = target[..<axis].reduce(1, *), inner = target[(axis + 1)...].reduce(1, *)
    let y = make(target) { out in
      var at = 0
      for part in parts {
        let width = part.shape[axis] * inner
        withPointers(part) {
          sw_copy_rows(Int64(outer), Int64(width), $0, Int64(width), out + at, Int64(target[axis] * inner))
        }
        at += width
      }
    }
    return Tape.record(y, from: parts) { g in
      var at = 0
      return widths.map { width in
        defer { at += width }
        return g.slice(axis: axis, at..<at + width)
      }
    }
  }

  /// Joins tensors of one shape along a new first axis.
  package static func stacked(_ parts: [Tensor]) -> Tensor {
    concatenated(parts.map { $0.reshaped([1] + $0.shape) }, axis: 0)
  }

  /// The rows along the first axis at the given indices, in their order; an index may occur more than once.
  package func rows(_ indices: [Int]) -> Tensor {
    check(
      rank > 0 && indices.allSatisfy { $0 >= 0 && $0 < shape[0] }, "rows: an index is outside of axis 0 of \(shape)")
    let width = shape.dropFirst().reduce(1, *)
    let y = withPointers(self) { x in
      Tensor.make([indices.count] + shape.dropFirst()) { out in
        for (place, index) in indices.enumerated() {
          (out + place * width).update(from: x + index * width, count: width)
        }
      }
    }
    return Tape.record(y, from: [self]) { [shape] g in
      [
        withPointers(g) { pg in
          Tensor.make(shape) {
            $0.update(repeating: 0, count: shape.product)
            sw_scatter_add_rows(Int64(indices.count), Int64(width), indices.map(Int64.init), pg, $0)
          }
        }
      ]
    }
  }
}
