// Layer norm and group norm, and their gradients.

internal import CKernels

/// Layer norm over the last axis: (x - mean) / sqrt(variance + epsilon) weight + bias (Ba et al., arXiv 1607.06450).
package func layerNorm(_ x: Tensor, _ weight: Tensor, _ bias: Tensor, epsilon: Float) -> Tensor {
  layerNorm(x, LayerNormWeights(weight: weight, bias: bias, epsilon: epsilon))
}

package func layerNorm(_ x: Tensor, _ weights: LayerNormWeights) -> Tensor {
  let norm = LayerNormalization(x, weights)
  let (y, statistics) = norm.forward()
  return Tape.record(y, from: [x, weights.weight, weights.bias]) { g in norm.gradients(g, statistics) }
}

/// The weights of a layer norm, `[columns]` each, and the term that is added to the variance.
package struct LayerNormWeights {
  package let weight, bias: Tensor
  package let epsilon: Float

  package init(weight: Tensor, bias: Tensor, epsilon: Float) {
    self.weight = weight
    self.bias = bias
    self.epsilon = epsilon
  }
}

struct LayerNormalization {
  /// Detached, like the weights.
  private let x: Tensor
  private let weights: LayerNormWeights
  private let rows, columns: Int
  let wantsWeights: Bool

  init(_ input: Tensor, _ w: LayerNormWeights) {
    columns = input.shape[input.rank - 1]
    check(
      w.weight.shape == [columns] && w.bias.shape == [columns],
      "layerNorm: x \(input.shape) does not fit weight \(w.weight.shape) and bias \(w.bias.shape)")
    rows = input.count / max(1, columns)
    x = input.detached
    weights = LayerNormWeights(weight: w.weight.detached, bias: w.bias.detached, epsilon: w.epsilon)
    wantsWeights = Tape.tracks(w.weight) || Tape.tracks(w.bias)
  }

  /// The result, and the mean and 1/std of each row, `[rows, 2]`.
  func forward() -> (y: Tensor, statistics: Tensor) {
    var statistics = Tensor.zeros([0])
    let y = withPointers(x, weights.weight, weights.bias) { x_, w_, b_ in
      Tensor.make(x.shape) { out in
        statistics = Tensor.make([rows, 2]) {
          sw_layer_norm(Int64(rows), Int64(columns), weights.epsilon, x_, w_, b_, out, $0)
        }
      }
    }
    return (y, statistics)
  }

  func gradients(_ g: Tensor, _ statistics: Tensor) -> [Tensor?] {
    let found = wantsWeights ? Storage(count: 2 * columns) : nil
    let gx = withPointers(x, weights.weight, statistics) { x_, w_, s_ in
      withPointers(g) { g_ in
        Tensor.make(x.shape) {
          sw_layer_norm_gradient(
            Int64(rows), Int64(columns), x_, w_, s_, g_, $0, found?.pointer, found.map { $0.pointer + columns })
        }
      }
    }
    return [gx] + pair(found, columns)
  }
}

/// Group norm of x `[B, H, W, C]` over the positions and the channels of each group (Wu and He, arXiv 1803.08494), with
/// SiLU in the same pass if `silu` is true. The result reuses the memory of x if no tape records and x is its only
/// owner.
package func groupNorm(
  _ x: consuming Tensor, _ weight: Tensor, _ bias: Tensor, groups: Int, epsilon: Float, silu: Bool = false
) -> Tensor {
  let channels = x.shape[x.rank - 1], batch = x.shape[0]
  check(
    x.rank >= 2 && channels % groups == 0 && weight.shape == [channels] && bias.shape == [channels],
    "groupNorm: x \(x.shape) does not fit \(groups) groups, weight \(weight.shape) and bias \(bias.shape)")
  let positions = x.count / max(1, batch * channels)
  let wantsWeights = Tape.tracks(weight) || Tape.tracks(bias)
  let shape = x.shape, isOurs = !wantsWeights && x.isHeldOnce && !Tape.tracks(x)
  let storage = isOurs ? x.storage : Storage(count: x.count)
  let statistics = withPointers(x, weight, bias) { x_, w_, b_ in
    Tensor.make([batch, groups, 2]) {
      sw_group_norm(
        Int64(batch), Int64(positions), Int64(channels), Int64(groups), epsilon, silu ? 1 : 0, x_, w_, b_,
        storage.pointer, $0)
    }
  }
  let y = Tensor(storage: storage, shape: shape)
  if isOurs { return y }
  let (px, pw, pb, kept) = (x.detached, weight.detached, bias.detached, statistics)
  return Tape.record(y, from: [x, weight, bias]) { g in
    let weights = wantsWeights ? Storage(count: 2 * channels) : nil
    let gx = withPointers(px, pw, pb) { x_, w_, b_ in
      withPointers(kept, g) { s_, g_ in
        Tensor.make(px.shape) {
          sw_group_norm_gradient(
            Int64(batch), Int64(positions), Int64(channels), Int64(groups), silu ? 1 : 0, x_, w_, b_, s_, g_, $0,
            weights?.pointer, weights.map { $0.pointer + channels })
        }
      }
    }
    return [gx] + pair(weights, channels)
  }
}

/// The gradients of weight and bias, which a kernel wrote to the two halves of `storage`.
private func pair(_ storage: Storage?, _ count: Int) -> [Tensor?] {
  guard let storage else { return [nil, nil] }
  return [Tensor(storage: storage, shape: [count]), Tensor(storage: storage, offset: count, shape: [count])]
}
