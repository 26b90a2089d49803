// Affine layers. Layers with the same input write their results next to each other; bias, adapter and residual are
// added in the same pass.

internal import CKernels

/// A low-rank addition to a weight: W + scale B A (Hu et al., arXiv 2106.09685).
package struct LowRank {
  /// A, `[rank, in]`.
  package let down: Tensor
  /// B, `[out, rank]`.
  package let up: Tensor
  package let scale: Float

  package init(down: Tensor, up: Tensor, scale: Float) {
    self.down = down
    self.up = up
    self.scale = scale
  }
}

package struct AffineWeights {
  /// `[out, in]`
  package let weight: Tensor
  /// `[out]`
  package let bias: Tensor?
  package let adapter: LowRank?

  package init(weight: Tensor, bias: Tensor? = nil, adapter: LowRank? = nil) {
    self.weight = weight
    self.bias = bias
    self.adapter = adapter
  }

  /// The tensors of the layer, in the order of their gradients.
  var tensors: [Tensor] { [weight, bias, adapter?.down, adapter?.up].compactMap { $0 } }

  var outputs: Int { weight.shape[0] }

  fileprivate func withPointers(
    _ body: (UnsafePointer<Float>, UnsafePointer<Float>?, UnsafePointer<sw_low_rank>?) -> Void
  ) {
    Engine.withPointers(weight) { w in
      withOptionalPointer(bias) { b in
        guard let adapter else { return body(w, b, nil) }
        Engine.withPointers(adapter.up, adapter.down) { up, down in
          let kernel = sw_low_rank(rank: Int64(adapter.down.shape[0]), scale: adapter.scale, up: up, down: down)
          withUnsafePointer(to: kernel) { body(w, b, $0) }
        }
      }
    }
  }
}

/// x w^T + bias + residual in one pass: x `[..., in]`, weight `[out, in]`, result `[..., out]`.
package func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, residual: Tensor? = nil) -> Tensor {
  linear(x, [AffineWeights(weight: weight, bias: bias)], residual: residual)
}

/// Several affine layers of one input, with their results next to each other: `[..., in]` to
/// `[..., out1 + out2 + ...]`, plus a residual of this shape.
///
/// An adapter is added to its weight while the product reads the weight. This costs `rank out in` multiplications for
/// any number of rows, and sampling, which needs no gradients, computes the same bits as training.
package func linear(_ x: Tensor, _ layers: [AffineWeights], residual: Tensor? = nil) -> Tensor {
  let product = AffineProduct(x.shape, layers, wantsX: Tape.tracks(x))
  let y = product.forward(x.detached, residual)
  let kept = product.needsInput ? x.detached : nil
  return Tape.record(y, from: [x] + layers.flatMap(\.tensors) + (residual.map { [$0] } ?? [])) { g in
    product.gradients(g, input: kept) + (residual == nil ? [] : [g])
  }
}

/// Affine layers of the layer norm of x, with their results next to each other. The normalized values are not kept: the
/// gradient computes them again in one pass over x.
package func linear(_ x: Tensor, after norm: LayerNormWeights, _ layers: [AffineWeights]) -> Tensor {
  let before = LayerNormalization(x, norm)
  let (normalized, statistics) = before.forward()
  let product = AffineProduct(x.shape, layers, wantsX: Tape.tracks(x) || before.wantsWeights)
  let y = product.forward(normalized, nil)
  return Tape.record(y, from: [x, norm.weight, norm.bias] + layers.flatMap(\.tensors)) { g in
    let found = product.gradients(g, input: product.needsInput ? before.forward().y : nil)
    return (found[0].map { before.gradients($0, statistics) } ?? [nil, nil, nil]) + found.dropFirst()
  }
}

/// The products of x with the weights of several layers, and their gradients.
private struct AffineProduct {
  let shape: [Int]
  /// The detached weights of each layer, and for which of them gradients are needed.
  let layers: [(values: AffineWeights, wants: (weight: Bool, bias: Bool, adapter: Bool))]
  let wantsX: Bool
  let rows, columns, outputs: Int
  /// Whether the gradients need the values of x.
  var needsInput: Bool { layers.contains { $0.wants.weight || $0.wants.adapter } }

  init(_ shape: [Int], _ weights: [AffineWeights], wantsX: Bool) {
    columns = shape.last ?? 0
    self.shape = shape
    self.wantsX = wantsX
    rows = shape.dropLast().reduce(1, *)
    outputs = weights.reduce(0) { $0 + $1.outputs }
    for w in weights {
      let out = w.outputs
      check(
        w.weight.shape == [out, columns], "linear: the last axes of x \(shape) and weight \(w.weight.shape) differ")
      check(
        w.bias == nil || w.bias!.shape == [out],
        "linear: bias \(w.bias!.shape) does not fit weight \(w.weight.shape)")
      if let a = w.adapter {
        let rank = a.down.shape[0]
        check(
          a.down.shape == [rank, columns] && a.up.shape == [out, rank],
          "linear: adapter A \(a.down.shape), B \(a.up.shape) does not fit weight \(w.weight.shape)")
      }
    }
    layers = weights.map { w in
      let adapter = w.adapter.map { LowRank(down: $0.down.detached, up: $0.up.detached, scale: $0.scale) }
      return (
        AffineWeights(weight: w.weight.detached, bias: w.bias?.detached, adapter: adapter),
        (
          Tape.tracks(w.weight), w.bias.map(Tape.tracks) ?? false,
          w.adapter.map { Tape.tracks($0.down) || Tape.tracks($0.up) } ?? false
        )
      )
    }
  }

  func forward(_ x: Tensor, _ residual: Tensor?) -> Tensor {
    let shape = Array(shape.dropLast()) + [outputs]
    check(
      residual == nil || residual!.shape == shape,
      "linear: expected residual \(shape), found \(residual!.shape)")
    let (m, k, all) = (Int64(rows), Int64(columns), Int64(outputs))
    return withPointers(x) { x_ in
      withOptionalPointer(residual) { r_ in
        Tensor.make(shape) { y in
          var column = 0
          for (w, _) in layers {
            w.withPointers { w_, b_, adapter in
              sw_linear(m, Int64(w.outputs), k, x_, w_, adapter, b_, r_.map { $0 + column }, y + column, all)
            }
            column += w.outputs
          }
        }
      }
    }
  }

  /// gx = g W, summed over the layers.
  private func inputGradient(_ g: Tensor) -> Tensor {
    let (m, k, all) = (Int64(rows), Int64(columns), Int64(outputs))
    return withPointers(g) { g_ in
      Tensor.make(shape) { gx in
        var column = 0
        for (w, _) in layers {
          w.withPointers { w_, _, adapter in
            sw_linear_gradient(
              m, Int64(w.outputs), k, g_ + column, all, w_, adapter, column == 0 ? nil : UnsafePointer(gx), gx)
          }
          column += w.outputs
        }
      }
    }
  }

  /// The gradients of x, and of weight, bias, A and B of each layer, where it has them: gx = g W, gW = g^T x, and for
  /// an adapter gA = s (g B)^T x, gB = s g^T (x A^T). `input` is x if `needsInput` is true.
  func gradients(_ g: Tensor, input: Tensor?) -> [Tensor?] {
    let (m, n, k) = (Int64(rows), Int64(outputs), Int64(columns))
    var all: [Tensor?] = [wantsX ? inputGradient(g) : nil]
    let sums = layers.contains { $0.wants.bias } ? g.columnSums : nil
    var column = 0
    for (w, wants) in layers {
      let out = w.outputs
      withPointers(g, input ?? g) { g_, x_ in
        let own = g_ + column
        all.append(
          wants.weight
            ? Tensor.make(w.weight.shape) { sw_gemm(1, 0, Int64(out), k, m, 1, own, n, x_, k, nil, $0, k) } : nil)
        if w.bias != nil { all.append(wants.bias ? sums?.slice(axis: 0, column..<column + out) : nil) }
        guard let adapter = w.adapter else { return }
        guard wants.adapter else {
          all += [nil, nil]
          return
        }
        let r = Int64(adapter.down.shape[0]), s = adapter.scale, o = Int64(out)
        withPointers(adapter.down, adapter.up) { a_, b_ in
          let below = Tensor.make([rows, Int(r)]) { sw_gemm(0, 1, m, r, k, 1, x_, k, a_, k, nil, $0, r) }
          let above = Tensor.make([rows, Int(r)]) { sw_gemm(0, 0, m, r, o, 1, own, n, b_, r, nil, $0, r) }
          withPointers(below, above) { below_, above_ in
            all.append(Tensor.make(adapter.down.shape) { sw_gemm(1, 0, r, k, m, s, above_, r, x_, k, nil, $0, k) })
            all.append(Tensor.make(adapter.up.shape) { sw_gemm(1, 0, o, r, m, s, own, n, below_, r, nil, $0, r) })
          }
        }
      }
      column += out
    }
    return all
  }
}
