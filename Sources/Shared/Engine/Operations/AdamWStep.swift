// The arithmetic of AdamW, in place: the only operation that changes tensors, which optimizers own.

internal import CKernels

/// The constants of one AdamW update.
package struct AdamWStep: Sendable {
  package let learningRate, beta1, beta2, epsilon, weightDecay: Float
  /// 1 - beta1^t
  package let correction1: Float
  /// sqrt(1 - beta2^t)
  package let correction2Root: Float

  package init(
    learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, correction1: Float,
    correction2Root: Float
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.correction1 = correction1
    self.correction2Root = correction2Root
  }

  /// Updates a weight and its moments, which all have the shape of the gradient; `Layers.AdamW` has the equation.
  package func apply(to value: inout Tensor, first: inout Tensor, second: inout Tensor, gradient: Tensor) {
    check(
      value.shape == gradient.shape && first.shape == gradient.shape && second.shape == gradient.shape,
      "AdamW: the shapes of weight \(value.shape), moments \(first.shape) and \(second.shape) and gradient "
        + "\(gradient.shape) must be equal")
    value.makeUnique()
    first.makeUnique()
    second.makeUnique()
    withPointers(gradient) { g in
      sw_adamw(
        Int64(gradient.count), learningRate, beta1, beta2, epsilon, weightDecay, correction1, correction2Root, g,
        first.storage.pointer + first.offset, second.storage.pointer + second.offset,
        value.storage.pointer + value.offset)
    }
  }
}
