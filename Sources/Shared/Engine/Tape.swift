// Reverse-mode differentiation on a flat tape: forward operations append entries, the backward pass consumes them from
// the end and frees what they held as it goes. A tape belongs to the thread that runs `Tape.gradients` and never
// leaves it.

internal import CKernels

/// A value's place on a tape.
struct Node: Sendable {
  let tape: Int
  let index: Int
}

/// The record of the differentiable operations of one computation.
public final class Tape {
  /// Gradients of the inputs, in their order; nil where an input needs none.
  typealias Pullback = (Tensor) -> [Tensor?]

  private struct Entry {
    let output: Int
    let inputs: [Int?]
    let pullback: Pullback
  }

  private let identity: Int
  private var entries: [Entry] = []
  private var nodes = 0
  private var leaves: [ObjectIdentifier: (parameter: Parameter, tensor: Tensor)] = [:]

  private init() { identity = Int(sw_next_tape_identity()) }

  /// The tape in force on this thread.
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

  /// Runs `body` without recording: everything in it is a constant.
  public static func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    try with(nil, body)
  }

  /// Runs `loss`, recording it, and differentiates the scalar it returns.
  ///
  /// - Parameters:
  ///   - inputs: tensors that `loss` receives and that gradients are wanted for.
  ///   - loss: returns a tensor of one element, and anything else the caller wants to keep.
  /// - Returns: the loss, what else `loss` returned, gradients of the inputs (zeros where the loss does not depend on
  ///   one), and gradients of every trainable parameter that took part.
  public static func gradients<Extra>(
    of inputs: [Tensor] = [], _ loss: ([Tensor]) throws -> (Tensor, Extra)
  ) rethrows -> (loss: Tensor, extra: Extra, inputs: [Tensor], parameters: Gradients) {
    let tape = Tape()
    return try with(tape) {
      let tracked = inputs.map { tape.leaf($0) }
      let (value, extra) = try loss(tracked)
      check(value.count == 1, "gradients: the loss must be a scalar, found shape \(value.shape)")
      let found = tape.backward(from: value, seed: Tensor(repeating: 1, shape: value.shape))
      let ofInputs = zip(tracked, inputs).map { leaf, input in
        found[leaf.place] ?? Tensor.zeros(input.shape)
      }
      var ofParameters = Gradients()
      for (parameter, tensor) in tape.leaves.values {
        if let gradient = found[tensor.place] { ofParameters[parameter] = gradient }
      }
      return (value.detached, extra, ofInputs, ofParameters)
    }
  }

  /// A new tracked value without history.
  func leaf(_ tensor: Tensor) -> Tensor {
    var copy = tensor
    copy.node = Node(tape: identity, index: nodes)
    nodes += 1
    return copy
  }

  /// The tracked value of a parameter, the same at every use on this tape.
  func leaf(_ parameter: Parameter) -> Tensor {
    let key = ObjectIdentifier(parameter)
    if let known = leaves[key] { return known.tensor }
    let tensor = leaf(parameter.value)
    leaves[key] = (parameter, tensor)
    return tensor
  }

  /// Whether gradients are wanted for a value: it is on the tape in force.
  static func tracks(_ tensor: Tensor) -> Bool {
    guard let node = tensor.node, let tape = current else { return false }
    check(node.tape == tape.identity, "a tensor of another tape was used; detach it first")
    return true
  }

  /// Puts an operation on the tape in force, if an input is tracked. `pullback` must hold only detached tensors.
  static func record(_ output: Tensor, from inputs: [Tensor], _ pullback: @escaping Pullback) -> Tensor {
    guard let tape = current, inputs.contains(where: { tracks($0) }) else { return output }
    let tracked = tape.leaf(output)
    let places = inputs.map { tracks($0) ? $0.place : nil }
    tape.entries.append(Entry(output: tracked.place, inputs: places, pullback: pullback))
    return tracked
  }

  private func backward(from value: Tensor, seed: Tensor) -> [Tensor?] {
    var gradients = [Tensor?](repeating: nil, count: nodes)
    guard Tape.tracks(value) else { return gradients }
    gradients[value.place] = seed
    Tape.withoutGradients {
      while let entry = entries.popLast() {
        guard let gradient = gradients[entry.output] else { continue }
        gradients[entry.output] = nil
        for (place, part) in zip(entry.inputs, entry.pullback(gradient)) {
          guard let place, let part else { continue }
          Tape.add(part, to: &gradients[place])
        }
      }
    }
    return gradients
  }

  /// Adds in place where possible: taking the value out first leaves it with one owner.
  static func add(_ part: Tensor, to sum: inout Tensor?) {
    guard var total = sum.take() else {
      sum = part
      return
    }
    total.accumulate(part)
    sum = total
  }
}

extension Tensor {
  /// The index of a tracked value on its tape.
  fileprivate var place: Int {
    guard let node else { fatalError("a value that is not on the tape has no place there") }
    return node.index
  }
}
