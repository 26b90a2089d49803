// Sums and means over axes, and softmax over the last axis.

internal import CKernels

extension Tensor {
  /// The sum over axes; nil means all axes. With `keepAxes` they remain, with extent 1.
  package func sum(axes: [Int]? = nil, keepAxes: Bool = false) -> Tensor {
    let reduced = Set((axes ?? Array(0..<rank)).map { $0 < 0 ? $0 + rank : $0 })
    check(reduced.allSatisfy { $0 >= 0 && $0 < rank }, "sum: shape \(shape) does not have the axes \(axes ?? [])")
    var result = detached
    for axis in reduced.sorted(by: >) { result = result.summedOver(axis) }
    let kept = shape.indices.map { reduced.contains($0) ? 1 : shape[$0] }
    let y = result.view(keepAxes ? kept : shape.indices.filter { !reduced.contains($0) }.map { shape[$0] })
    return Tape.record(y, from: [self]) { [shape] g in [g.view(kept) + Tensor.zeros(shape)] }
  }

  /// The sum over one axis, which remains with extent 1.
  private func summedOver(_ axis: Int) -> Tensor {
    let outer = shape[..<axis].reduce(1, *), inner = shape[(axis + 1)...].reduce(1, *)
    var target = shape
    target[axis] = 1
    return withPointers(self) { x in
      Tensor.make(target) { sw_sum(Int64(outer), Int64(shape[axis]), Int64(inner), x, $0) }
    }
  }

  /// The mean over axes; nil means all axes.
  package func mean(axes: [Int]? = nil, keepAxes: Bool = false) -> Tensor {
    let total = sum(axes: axes, keepAxes: keepAxes)
    return total * (Float(total.count) / Float(count))
  }

  /// e^x / sum(e^x) along the last axis.
  package func softmax() -> Tensor { softmax(logarithm: false) }

  /// log(softmax(x)) along the last axis.
  package func logSoftmax() -> Tensor { softmax(logarithm: true) }

  private func softmax(logarithm: Bool) -> Tensor {
    check(rank > 0 && shape[rank - 1] > 0, "softmax: expected a last axis that is not empty, found shape \(shape)")
    let columns = Int64(shape[rank - 1]), rows = Int64(count) / columns, flag: Int32 = logarithm ? 1 : 0
    let y = withPointers(self) { x in Tensor.make(shape) { sw_softmax(rows, columns, flag, x, $0) } }
    return Tape.record(y, from: [self]) { g in
      [withPointers(y, g) { py, pg in Tensor.make(y.shape) { sw_softmax_gradient(rows, columns, flag, py, pg, $0) } }]
    }
  }
}
