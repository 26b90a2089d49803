// Gradient checkpointing: what is computed again for its gradient gives the same gradient.

import Engine
import Foundation
import Layers
import Models
import Testing

@Suite("Units of the UNet that are computed again for their gradients")
struct RecomputationTests {
  init() throws { try Compute.start() }

  @Test("give the same gradients to the bit, of an adapter and of every weight", arguments: ["sd1-lora", "sd2-lora"])
  func sameGradients(name: String) throws {
    let golden = try #require(try GoldenCase.all().first { "\($0)" == name })
    let tensors = try golden.tensors()
    let unet = try UNet2DCondition(folder: golden.model("unet"))
    try unet.loadLoRA(SafetensorsFile(golden.file("lora")), alpha: Float(golden.values.number("alpha")))
    let timesteps = try tensors.integers("in.timesteps"), text = try tensors.tensor("in.encoder_hidden_states")
    let sample = try tensors.tensor("in.sample")
    func gradients(recomputing: Bool, of parameters: [Parameter]) -> [[Float]] {
      unet.recomputesUnits = recomputing
      let result = Tape.gradients(of: [sample, text]) { inputs in
        (unet(inputs[0], timesteps: timesteps, encoderHiddenStates: inputs[1]).squared().sum(), ())
      }
      return [result.loss.values] + result.inputs.map(\.values) + parameters.map { result.parameters[$0]?.values ?? [] }
    }
    let adapter = unet.loraParameters
    #expect(gradients(recomputing: true, of: adapter) == gradients(recomputing: false, of: adapter))
    let all = adapter + unet.parameters
    for parameter in unet.parameters { parameter.isTrainable = true }
    let found = gradients(recomputing: true, of: all)
    #expect(found == gradients(recomputing: false, of: all))
    #expect(!found.contains([]))
  }

  @Test("may use an input and a parameter that others use too")
  func sharedInputs() {
    let w = Parameter(name: "w", value: Tensor([0.3, -1.7, 2.1], shape: [3]), isTrainable: true)
    let x = Tensor([1.1, 0.7, -0.9], shape: [3])
    func gradients(_ part: ([Tensor], @escaping ([Tensor]) -> Tensor) -> Tensor) -> [[Float]] {
      let result = Tape.gradients(of: [x]) { inputs in
        let y = part([inputs[0]]) { ($0[0] * w.tensor).exp() + $0[0] }
        return ((part([y, inputs[0]]) { $0[0] * $0[1] * w.tensor } + y * inputs[0]).sum(), ())
      }
      return [result.loss.values, result.inputs[0].values, result.parameters[w]?.values ?? []]
    }
    #expect(gradients(Tape.recomputing) == gradients { $1($0) })
  }

  @Test("may be done some rows at a time", arguments: [1, 3, 5, 7, 100])
  func rowsAtATime(rows: Int) {
    var random = RandomStream(seed: 12)
    let w = Parameter(name: "w", value: random.normal([6, 4]), isTrainable: true)
    let x = random.normal([7, 4]), weights = random.normal([7, 6])
    func part(_ x: Tensor) -> Tensor { linear(x.silu(), w.tensor) }
    func gradients(_ part: (Tensor) -> Tensor) -> [[Float]] {
      let result = Tape.gradients(of: [x]) { inputs in
        ((part(inputs[0]) * weights).sum() + inputs[0].squared().sum(), ())
      }
      return [result.loss.values, result.inputs[0].values, result.parameters[w]?.values ?? []]
    }
    let found = gradients { Tape.recomputing($0, rows: rows, part) }, expected = gradients(part)
    // Rows' values and gradients are the same to the bit; the parameter's gradient is a sum over other groups of rows.
    #expect(found[0] == expected[0] && found[1] == expected[1])
    #expect(zip(found[2], expected[2]).allSatisfy { abs($0 - $1) < 1e-5 } && found[2].count == 24)
    #expect(Tape.recomputing(x, rows: rows, part).values == part(x).values)
  }
}
