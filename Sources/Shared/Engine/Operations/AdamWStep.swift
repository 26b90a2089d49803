// The arithmetic of AdamW, in place: the only operation that changes tensors, which optimizers own.

internal import CKernels

extension Tensor {
  /// One AdamW update of a weight and its moments, which all have the shape of the gradient; `Layers.AdamW` has the
  /// equation.
  ///
  /// - Parameters:
  ///   - correction1: 1 - beta1^t.
  ///   - correction2Root: sqrt(1 - beta2^t).
  package mutating func stepByAdamW(
    first: inout Tensor, second: inout Tensor, gradient: Tensor, learningRate: Float, beta1: Float, beta2: Float,
    epsilon: Float, weightDecay: Float, correction1: Float, correction2Root: Float
  ) {
    check(
      shape == gradient.shape && first.shape == gradient.shape && second.shape == gradient.shape,
      "AdamW: the shapes of weight \(shape), moments \(first.shape) and \(second.shape) and gradient "
        + "\(gradient.shape) must be equal")
    makeUnique()
    first.makeUnique()
    second.makeUnique()
    withPointers(gradient) { g in
      sw_adamw(
        Int64(gradient.count), learningRate, beta1, beta2, epsilon, weightDecay, correction1, correction2Root, g,
        first.storage.pointer + first.offset, second.storage.pointer + second.offset, storage.pointer + offset)
    }
  }
}
