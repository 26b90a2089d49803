// Reverse-mode differentiation on a flat tape: forward operations append entries, and the backward pass takes them from
// the end and frees the tensors that each entry holds. A tape belongs to the thread that runs `Tape.gradients` and
// never leaves it.

internal import CKernels

package final class Tape {
  /// Returns the gradients of the inputs, in their order; nil for an input that needs none.
  typealias Pullback = (Tensor) -> [Tensor?]
  /// Takes the sums of the gradients of the inputs so far. Returns them with its own gradients added, and the gradients
  /// of parameters.
  private typealias Recomputation = (Tensor, _ sums: [Tensor?]) -> (sums: [Tensor?], parameters: Gradients)

  private enum Adjoint {
    case pullback(Pullback)
    case recomputation(Recomputation)
  }

  private struct Entry {
    let output: Int
    let inputs: [Int?]
    let adjoint: Adjoint
  }

  private let identity: Int
  private var entries: [Entry] = []
  private var nodes = 0
  private var leaves: [ObjectIdentifier: (parameter: Parameter, tensor: Tensor)] = [:]
  /// Gradients of parameters from parts that were computed again (gradient checkpointing).
  private var recomputed = Gradients()

  private init() { identity = Int(sw_next_tape_identity()) }

  /// The tape that records on this thread.
  static var current: Tape? {
    guard let raw = sw_current_tape() else { return nil }
    return Unmanaged<Tape>.fromOpaque(raw).takeUnretainedValue()
  }

  private static func with<Result>(_ tape: Tape?, _ body: () throws -> Result) rethrows -> Result {
    let outer = sw_current_tape()
    sw_set_current_tape(tape.map { Unmanaged.passUnretained($0).toOpaque() })
    defer { sw_set_current_tape(outer) }
    return try withExtendedLifetime(tape) { try body() }
  }

  /// Runs `body` without recording: its results are constants.
  package static func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    try with(nil, body)
  }

  /// Runs `loss`, records it, and differentiates the scalar that it returns.
  ///
  /// - Parameter inputs: passed to `loss`; the gradients of those on which the loss does not depend are zeros.
  /// - Returns: the loss, the other result of `loss`, and the gradients of the inputs and of all trainable parameters
  ///   that were used.
  package static func gradients<Extra>(
    of inputs: [Tensor] = [], _ loss: ([Tensor]) throws -> (Tensor, Extra)
  ) rethrows -> (loss: Tensor, extra: Extra, inputs: [Tensor], parameters: Gradients) {
    let tape = Tape()
    return try with(tape) {
      let tracked = inputs.map { tape.leaf($0) }
      let (value, extra) = try loss(tracked)
      check(value.count == 1, "gradients: expected a loss of one element, found shape \(value.shape)")
      let found = tape.backward(from: value, seed: Tensor(repeating: 1, shape: value.shape))
      let ofInputs = zip(tracked, inputs).map { leaf, input in
        found[leaf.place] ?? Tensor.zeros(input.shape)
      }
      return (value.detached, extra, ofInputs, tape.parameterGradients(found))
    }
  }

  private func parameterGradients(_ found: [Tensor?]) -> Gradients {
    var gradients = recomputed
    for (parameter, tensor) in leaves.values {
      guard let gradient = found[tensor.place] else { continue }
      var one = Gradients()
      one[parameter] = gradient
      gradients.add(one)
    }
    return gradients
  }

  /// Gradient checkpointing: computes a part and keeps only its inputs; the backward pass computes the part again. It
  /// takes more time and less memory, and the gradients are the same to the bit.
  ///
  /// - Parameters:
  ///   - inputs: all tensors that `body` depends on except parameters, each once.
  ///   - body: a function of its inputs and of parameters. It must not use other tensors that are on a tape.
  package static func recomputing(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
    guard let tape = current else { return body(inputs) }
    let held = inputs.map(\.detached), wanted = inputs.map { tracks($0) }
    let y = withoutGradients { body(held) }
    return tape.append(y, from: inputs, .recomputation { again(held, wanted, seed: $0, sums: $1, body) })
  }

  /// Computes a part again and differentiates it for the inputs that are `wanted`.
  private static func again(
    _ held: [Tensor], _ wanted: [Bool], seed: Tensor, sums: [Tensor?], _ body: ([Tensor]) -> Tensor
  ) -> (sums: [Tensor?], parameters: Gradients) {
    let inner = Tape()
    return with(inner) {
      let tracked = zip(held, wanted).map { $1 ? inner.leaf($0) : $0 }
      // Starting from the sums so far keeps the order in which gradients are added.
      let known = zip(tracked, sums).filter { $0.0.node != nil }
      let found = inner.backward(from: body(tracked), seed: seed, sums: known.map { ($0.place, $1) })
      return (zip(tracked, wanted).map { $1 ? found[$0.place] : nil }, inner.parameterGradients(found))
    }
  }

  /// Gradient checkpointing of a part in which each row of the result, along the first axis, depends on the same row of
  /// x only. It computes `rows` rows at a time, so that intermediate values never exist for all rows and stay in the
  /// cache.
  package static func recomputing(_ x: Tensor, rows: Int, _ body: @escaping (Tensor) -> Tensor) -> Tensor {
    let held = x.detached, wanted = tracks(x)
    let y = withoutGradients { held.mappingRows(rows) { body(held.slice(axis: 0, $0)) } }
    guard let tape = current else { return y }
    return tape.append(y, from: [x], .recomputation { gradient, sums in
      var parameters = Gradients()
      let part = held.mappingRows(rows) { range in
        let piece = held.slice(axis: 0, range)
        let found = again([piece], [wanted], seed: gradient.slice(axis: 0, range), sums: [nil]) { body($0[0]) }
        parameters.add(found.parameters)
        return found.sums[0] ?? Tensor.zeros(piece.shape)
      }
      var sum = sums[0]
      if wanted { sum.accumulate(part) }
      return ([sum], parameters)
    })
  }

  /// A new tracked value that does not depend on others.
  func leaf(_ tensor: Tensor) -> Tensor {
    var copy = tensor
    copy.node = Node(tape: identity, index: nodes)
    nodes += 1
    return copy
  }

  /// The tracked value of a parameter, the same for every use on this tape.
  func leaf(_ parameter: Parameter) -> Tensor {
    let key = ObjectIdentifier(parameter)
    if let known = leaves[key] { return known.tensor }
    let tensor = leaf(parameter.value)
    leaves[key] = (parameter, tensor)
    return tensor
  }

  static func tracks(_ tensor: Tensor) -> Bool {
    guard let node = tensor.node, let tape = current else { return false }
    check(node.tape == tape.identity, "a tensor belongs to another tape; use its `detached` value")
    return true
  }

  /// Records an operation on the current tape if an input is tracked. `pullback` may capture detached tensors only.
  static func record(_ output: Tensor, from inputs: [Tensor], _ pullback: @escaping Pullback) -> Tensor {
    guard let tape = current, inputs.contains(where: { tracks($0) }) else { return output }
    return tape.append(output, from: inputs, .pullback(pullback))
  }

  private func append(_ output: Tensor, from inputs: [Tensor], _ adjoint: Adjoint) -> Tensor {
    let tracked = leaf(output)
    let places = inputs.map { Tape.tracks($0) ? $0.place : nil }
    entries.append(Entry(output: tracked.place, inputs: places, adjoint: adjoint))
    return tracked
  }

  private func backward(from value: Tensor, seed: Tensor, sums: [(place: Int, sum: Tensor?)] = []) -> [Tensor?] {
    var gradients = [Tensor?](repeating: nil, count: nodes)
    for (place, sum) in sums { gradients[place] = sum }
    guard Tape.tracks(value) else { return gradients }
    gradients[value.place] = seed
    Tape.withoutGradients {
      while let entry = entries.popLast() {
        guard let gradient = gradients[entry.output].take() else { continue }
        switch entry.adjoint {
        case .pullback(let pullback):
          for (place, part) in zip(entry.inputs, pullback(gradient)) {
            guard let place, let part else { continue }
            gradients[place].accumulate(part)
          }
        case .recomputation(let recompute):
          let (sums, parameters) = recompute(gradient, entry.inputs.map { $0.flatMap { gradients[$0].take() } })
          for (place, sum) in zip(entry.inputs, sums) {
            if let place { gradients[place] = sum }
          }
          recomputed.add(parameters)
        }
      }
    }
    return gradients
  }
}

extension Parameter {
  /// The value to compute with: tracked when the parameter is trainable and a tape is recording.
  package var tensor: Tensor {
    guard isTrainable, let tape = Tape.current else { return value }
    return tape.leaf(self)
  }
}

extension Tensor {
  /// Calls `body` for `rows` rows along the first axis at a time, and joins its results.
  fileprivate func mappingRows(_ rows: Int, _ body: (Range<Int>) -> Tensor) -> Tensor {
    let count = shape[0], first = body(0..<min(rows, count))
    if rows >= count { return first }
    return Tensor.make([count] + first.shape.dropFirst()) { out in
      let width = first.count / first.shape[0]
      for begin in stride(from: 0, to: count, by: rows) {
        let range = begin..<min(begin + rows, count)
        withPointers(begin == 0 ? first : body(range)) {
          (out + begin * width).update(from: $0, count: range.count * width)
        }
      }
    }
  }

  /// The index of a tracked value on its tape.
  fileprivate var place: Int {
    guard let node else { fatalError("the tensor is not on a tape") }
    return node.index
  }
}
