// The optimizer, and gradient clipping.

package import Engine
internal import Foundation

/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), as torch.optim.AdamW computes it:
///
///     m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g²
///     p = p (1 - rate decay) - rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
package final class AdamW {
  package let parameters: [Parameter]
  package var learningRate: Float
  package let beta1, beta2, epsilon, weightDecay: Float
  /// The number of updates so far (t above).
  package private(set) var step = 0
  private var first: [Tensor]
  private var second: [Tensor]

  package init(
    parameters: [Parameter], learningRate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 1e-2
  ) {
    self.parameters = parameters
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    first = parameters.map { Tensor.zeros($0.value.shape) }
    second = first
  }

  /// Makes one update. A parameter without a gradient does not change, as in PyTorch.
  package func update(_ gradients: Gradients) {
    step += 1
    let correction1 = Float(1 - pow(Double(beta1), Double(step)))
    let correction2Root = Float((1 - pow(Double(beta2), Double(step))).squareRoot())
    for (index, parameter) in parameters.enumerated() {
      guard let gradient = gradients[parameter] else { continue }
      parameter.value.stepByAdamW(
        first: &first[index], second: &second[index], gradient: gradient, learningRate: learningRate, beta1: beta1,
        beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, correction1: correction1,
        correction2Root: correction2Root)
    }
  }

  /// The moments of a parameter, in the layout of the engine, for checkpoints.
  package func moments(at index: Int) -> (first: Tensor, second: Tensor) { (first[index], second[index]) }

  /// Restores `step` and the moments of all parameters, so that the next update is the same as without the
  /// interruption.
  package func restore(step: Int, moments: [(first: Tensor, second: Tensor)]) {
    check(
      moments.count == parameters.count,
      "AdamW: expected the moments of \(parameters.count) parameters, found \(moments.count)")
    for (moment, parameter) in zip(moments, parameters) {
      check(
        moment.first.shape == parameter.value.shape && moment.second.shape == parameter.value.shape,
        "AdamW: expected moments \(parameter.value.shape) of \(parameter.name), found \(moment.first.shape) and "
          + "\(moment.second.shape)")
    }
    self.step = step
    first = moments.map(\.first)
    second = moments.map(\.second)
  }
}

extension Gradients {
  /// Scales all gradients by min(1, limit / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ does.
  /// The norm that is returned is the one before scaling.
  package func clipped(toNorm limit: Float, over parameters: [Parameter]) -> (Gradients, norm: Float) {
    let norm = Float(parameters.compactMap { self[$0]?.sumOfSquares }.reduce(0, +).squareRoot())
    let scale = limit / (norm + 1e-6)
    guard scale < 1 else { return (self, norm) }
    return (scaled(by: scale, over: parameters), norm)
  }

  package func scaled(by scale: Float, over parameters: [Parameter]) -> Gradients {
    var result = Gradients()
    for parameter in parameters {
      if let gradient = self[parameter] { result[parameter] = gradient * scale }
    }
    return result
  }
}
