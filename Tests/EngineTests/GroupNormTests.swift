// Group norm in place: it may reuse the memory of its input only if nothing else needs it.

import Engine
import Testing

@Suite struct GroupNormTests {
  let weight = Tensor((0..<8).map { 0.5 + 0.1 * Float($0) }, shape: [8])
  let bias = Tensor((0..<8).map { 0.3 - 0.1 * Float($0) }, shape: [8])

  init() throws { try Compute.start() }

  func example() -> Tensor {
    var random = RandomStream(seed: 3)
    return random.normal([2, 5, 3, 8])
  }

  func normalized(_ x: consuming Tensor, silu: Bool) -> Tensor {
    groupNorm(consume x, weight, bias, groups: 4, epsilon: 1e-5, silu: silu)
  }

  @Test(arguments: [false, true])
  func `the result is the same in new and in reused memory, and an input with other owners does not change`(
    silu: Bool
  ) {
    let x = example(), before = x.values
    let held = normalized(x, silu: silu)
    #expect(x.values == before)
    #expect(normalized(example(), silu: silu).values == held.values)
  }

  @Test func `an input on a tape does not change`() {
    let found = Tape.gradients(of: [example()]) { inputs in
      let y = normalized(inputs[0], silu: true)
      return ((y * y).sum(), inputs[0].detached)
    }
    #expect(found.extra.values == example().values)
  }
}
