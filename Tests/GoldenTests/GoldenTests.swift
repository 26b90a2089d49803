// The golden cases: results of PyTorch, diffusers, transformers and the published code of papers. One line per case is
// printed: its name, kind, worst relative error and tolerance.

import Engine
import Foundation
import Testing

@Suite(.serialized) struct GoldenTests {
  /// One runner per kind.
  static let runners: [String: @Sendable (GoldenCase, inout Agreement) throws -> Void] = [
    "adamw": adamW, "ddim-schedule": ddimSchedule, "ddim-step-logprob": ddimStep, "lcm-sampling": lcmSampling,
    "clip-text": clipText, "clip-tokenizer": clipTokenizer, "unet": unet, "unet-lora": unetLoRA, "vae": vae,
    "vae-tiny": vaeTiny,
    "clip-preprocess": clipPreprocess, "aesthetic-score": aestheticScore, "sdpo-dual-state": sdpoDualState,
    "sdpo-states-short": sdpoStatesShort, "per-step-prompt-advantages": perStepPromptAdvantages,
    "sdpo-loss": sdpoLoss, "ppo-clip-loss": ppoClipLoss, "b2-interval": branchInterval,
    "b2-branch-selection": branchSelection, "sqdf-loss": sqdfLoss, "reward-gamma-priorities": rewardGammaPriorities,
    "ucb-bonus": upperConfidenceBonus, "bradley-terry-loss": bradleyTerryLoss,
  ]

  @Test(arguments: try GoldenCase.all())
  func `every case agrees with the results of its original`(_ golden: GoldenCase) throws {
    try Compute.start()
    guard let runner = Self.runners[golden.kind] else {
      Issue.record("\(golden.folder.path): no runner for the kind \(golden.kind)")
      return
    }
    var agreement = Agreement(with: golden.tensors)
    try runner(golden, &agreement)
    let worst = agreement.worst
    print(
      "golden \(golden): \(golden.kind): worst relative error \(String(format: "%.2e", worst.error)) "
        + "(\(worst.name), tolerance \(String(format: "%.0e", worst.tolerance)), \(agreement.comparisons) compared)")
    #expect(agreement.comparisons > 0, "\(golden): nothing was compared")
    for problem in agreement.problems { Issue.record("\(golden): \(problem)") }
  }

  @Test func `every kind with a runner has a case in Golden`() throws {
    let kinds = Set(try GoldenCase.all().map(\.kind))
    #expect(Set(Self.runners.keys).subtracting(kinds).isEmpty)
  }
}
