import Foundation
import Learner
import Messages
import Testing
import Training

@Suite struct GroupJudgeTests {
  private let bench: Bench
  private var plan: WorkPlan
  private let group: TrajectoryGroup

  init() throws {
    bench = try Bench(groupsPerEpoch: 6, epochs: 2)
    bench.remove()
    plan = WorkPlan(bench.settings.work)
    plan.published(0)
    group = bench.group(plan.assign(to: [1], capacity: 1, held: [], now: .zero)[0])
  }

  private func judge(objection: String? = nil) -> GroupJudge { GroupJudge(runID: "run-1") { _ in objection } }

  @Test func `a group that matches its assignment is accepted`() {
    #expect(judge().verdict(on: group, plan) == .accepted)
  }

  @Test func `a group that differs from its assignment is refused with the difference`() {
    func reason(_ change: (inout TrajectoryGroup) -> Void) -> String {
      var changed = group
      change(&changed)
      guard case .refused(let reason) = judge().verdict(on: changed, plan) else { return "none" }
      return reason
    }
    #expect(reason { $0.runID = "run-2" } == "group 0: expected run run-1, found run-2")
    #expect(reason { $0.number = 6 } == "group 6 was not assigned")
    #expect(reason { $0.prompt = "cow" }.contains("found \"cow\""))
    #expect(reason { $0.epoch = 1 }.contains("expected epoch 0, found 1"))
    #expect(reason { $0.seed = 8 }.contains("expected run seed 7, found 8"))
    #expect(reason { $0.policyVersion = 1 }.contains("expected policy 0...0, found 1"))
  }

  @Test func `a stored or trained group is a duplicate`() {
    var plan = plan
    plan.store(0)
    #expect(judge().verdict(on: group, plan) == .duplicate)
    plan.published(1)
    #expect(judge().verdict(on: group, plan) == .duplicate)
    #expect(plan.settled(policyVersion: 0) == Array(0..<6))
  }

  @Test func `a group that cannot be trained on is incompatible, and ends the run if it is stored`() {
    let judge = judge(objection: "other timesteps")
    #expect(judge.verdict(on: group, plan) == .incompatible("other timesteps"))
    #expect { try judge.requireTrainable(group, plan, in: "replay") } throws: {
      "\($0)".hasPrefix("replay: stored group 0 was sampled with another configuration: other timesteps.")
    }
  }

  @Test func `a stored group may be older than the staleness allows now`() throws {
    var old = group
    old.number = 6
    old.epoch = 1
    old.prompt = plan.prompt(of: 6)
    try judge().requireTrainable(old, plan, in: "replay")
  }
}
