// The clean state that a noisy one leads to, for SQDF's estimate of Q (arXiv 2512.04559, section 4): by a consistency
// model, by the frozen reference in one step, or in several. All differentiable in the noisy state.

package import Diffusion
package import Engine
package import Settings

extension RolloutModels {
  /// Clean states of the states that a step led to, both `[B, C, H, W]`; the state itself where no step is left.
  ///
  /// - Parameter steps: index of the next step, one per sample; T where no step is left.
  package func cleanEstimate(
    _ settings: GradientSettings, _ states: Tensor, steps: [Int], conditioning: Conditioning
  ) -> Tensor {
    let open = steps.indices.filter { steps[$0] < process.timesteps.count }
    let done = steps.indices.filter { steps[$0] >= process.timesteps.count }
    guard !open.isEmpty else { return states }
    let found = continued(
      settings, done.isEmpty ? states : states.rows(open), steps: open.map { steps[$0] },
      conditioning: done.isEmpty ? conditioning : conditioning.rows(open))
    guard !done.isEmpty else { return found }
    var places = [Int](repeating: 0, count: steps.count)
    for (place, index) in (open + done).enumerated() { places[index] = place }
    return Tensor.concatenated([found, states.rows(done)], axis: 0).rows(places)
  }

  private func continued(
    _ settings: GradientSettings, _ states: Tensor, steps: [Int], conditioning: Conditioning
  ) -> Tensor {
    switch settings.estimate {
    case .consistency:
      guard let (lcm, denoiser) = consistency else { fatalError("cleanEstimate: there is no consistency model") }
      let timesteps = steps.map { Self.nearest(process.timesteps[$0], among: lcm.timesteps) }
      // Guidance is distilled into a consistency model.
      return lcm.denoised(
        output: denoiser(states, timesteps, conditioning.text), sample: states, timesteps: timesteps)
    case .oneStep:
      let timesteps = steps.map { process.timesteps[$0] }
      return process.schedule.cleanAndNoise(
        output: conditioning.output(of: reference, sample: states, timesteps: timesteps), sample: states,
        timesteps: timesteps
      ).clean
    case .nStep:
      return walked(states, steps: steps, count: settings.estimateSteps, conditioning: conditioning)
    }
  }

  /// The nearest timestep; the noisier of two equally near ones.
  static func nearest(_ timestep: Int, among timesteps: [Int]) -> Int {
    timesteps.min { (abs($0 - timestep), -$0) < (abs($1 - timestep), -$1) } ?? timestep
  }

  /// Deterministic steps along `count` + 1 evenly spaced, rounded indices from a sample's step to the end.
  private func walked(_ states: Tensor, steps: [Int], count: Int, conditioning: Conditioning) -> Tensor {
    // The end is training timestep 0, as in the published code.
    let timesteps = process.timesteps + [0]
    let paths = steps.map { start in
      (0...count).map { place -> Int in
        let index = Double(start) + Double(timesteps.count - 1 - start) * Double(place) / Double(count)
        return timesteps[Int(index.rounded(.toNearestOrEven))]
      }
    }
    var x = states
    for place in 0..<count {
      let from = paths.map { $0[place] }, to = paths.map { $0[place + 1] }
      if from == to { continue }
      // A step from a timestep to itself returns its state.
      x = process.schedule.deterministicStep(
        output: conditioning.output(of: reference, sample: x, timesteps: from), sample: x, from: from, to: to)
    }
    return x
  }
}
