// The golden cases: numbers of PyTorch, diffusers, transformers and the papers' published code. One line a case is
// printed: its name, kind, worst relative error and what is tolerated there.

import Engine
import Foundation
import Testing

@Suite("Golden cases", .serialized)
struct GoldenTests {
  /// A runner a kind.
  static let runners: [String: @Sendable (GoldenCase) throws -> Agreement] = [
    "adamw": adamW, "ddim-schedule": ddimSchedule, "ddim-step-logprob": ddimStep, "lcm-sampling": lcmSampling,
    "clip-text": clipText, "clip-tokenizer": clipTokenizer, "unet": unet, "unet-lora": unetLoRA, "vae": vae, "vae-tiny": vaeTiny,
    "clip-preprocess": clipPreprocess, "aesthetic-score": aestheticScore, "sdpo-dual-state": sdpoDualState,
    "sdpo-states-short": sdpoStatesShort, "per-step-prompt-advantages": perStepPromptAdvantages,
    "sdpo-loss": sdpoLoss,
  ]

  /// Kinds that belong to methods and models that this version does not have.
  static let notYetCovered: Set<String> = [
    "ppo-clip-loss", "b2-branch-selection", "b2-interval", "sqdf-loss", "reward-gamma-priorities", "ucb-bonus",
    "bradley-terry-loss",
  ]

  @Test("Every case agrees with what its original computed", arguments: try GoldenCase.all())
  func caseAgrees(_ golden: GoldenCase) throws {
    try Compute.start()
    if Self.notYetCovered.contains(golden.kind) {
      print("golden \(golden): \(golden.kind): not yet covered")
      return
    }
    guard let runner = Self.runners[golden.kind] else {
      Issue.record("\(golden.folder.path): no runner for the kind \(golden.kind)")
      return
    }
    let agreement = try runner(golden)
    let worst = agreement.worst
    print(
      "golden \(golden): \(golden.kind): worst relative error \(String(format: "%.2e", worst.error)) "
        + "(\(worst.name), tolerated \(String(format: "%.0e", worst.tolerance)), \(agreement.comparisons) compared)")
    #expect(agreement.comparisons > 0, "\(golden): nothing was compared")
    for problem in agreement.problems { Issue.record("\(golden): \(problem)") }
  }

  @Test("Every kind that has a runner has a case in Tests/Golden")
  func everyRunnerRuns() throws {
    let kinds = Set(try GoldenCase.all().map(\.kind))
    #expect(Set(Self.runners.keys).subtracting(kinds).isEmpty)
  }
}
