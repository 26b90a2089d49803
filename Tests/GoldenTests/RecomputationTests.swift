// Gradient checkpointing: recomputed parts give the same gradients.

import Engine
import Foundation
import Layers
import Models
import Testing

@Suite struct RecomputationTests {
  init() throws { try Compute.start() }

  @Test(arguments: ["sd1-lora", "sd2-lora"])
  func `gradient checkpointing gives the same gradients to the bit`(name: String) throws {
    let golden = try #require(try GoldenCase.all().first { "\($0)" == name })
    let unet = try UNet2DCondition(folder: golden.model("unet"))
    try unet.loadLoRA(SafetensorsFile(golden.file("lora")), alpha: golden.number("alpha"))
    let timesteps = try golden.integers("timesteps"), text = try golden.input("encoder_hidden_states")
    let sample = try golden.input("sample")
    func gradients(checkpointing: Bool, of parameters: [Parameter]) -> [[Float]] {
      unet.usesGradientCheckpointing = checkpointing
      let result = Tape.gradients(of: [sample, text]) { inputs in
        (unet(inputs[0], timesteps: timesteps, encoderHiddenStates: inputs[1]).squared().sum(), ())
      }
      return [result.loss.values] + result.inputs.map(\.values) + parameters.map { result.parameters[$0]?.values ?? [] }
    }
    let adapter = unet.loraParameters
    #expect(gradients(checkpointing: true, of: adapter) == gradients(checkpointing: false, of: adapter))
    let all = adapter + unet.parameters
    for parameter in unet.parameters { parameter.isTrainable = true }
    let found = gradients(checkpointing: true, of: all)
    #expect(found == gradients(checkpointing: false, of: all))
    #expect(!found.contains([]))
  }

  @Test func `a recomputed part may share an input and a parameter with others`() {
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

  @Test(arguments: [1, 3, 5, 7, 100])
  func `a part may be recomputed some rows at a time`(rows: Int) {
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
    // Values and gradients of rows are the same to the bit; the gradient of the parameter adds the rows in other
    // groups, which rounds differently.
    #expect(found[0] == expected[0] && found[1] == expected[1])
    #expect(zip(found[2], expected[2]).allSatisfy { abs($0 - $1) < 1e-5 } && found[2].count == 24)
    #expect(Tape.recomputing(x, rows: rows, part).values == part(x).values)
  }
}
