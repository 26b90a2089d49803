import Engine
import Learner
import Messages
import Testing

@Suite("The work plan")
struct WorkPlanTests {
  private func settings(lag: Int = 0, epochs: Int = 5, groups: Int = 6) -> WorkPlan.Settings {
    var settings = WorkPlan.Settings(
      seed: 1, prompts: ["a", "b", "c", "d"], groupsPerEpoch: groups, groupSize: 2, epochs: epochs)
    settings.maximumStaleness = lag
    settings.leaseDuration = .seconds(10)
    return settings
  }

  private let ada: [UInt8] = [1], ben: [UInt8] = [2]

  @Test("nothing is assigned before there is a policy, nor beyond the last epoch")
  func bounds() {
    var plan = WorkPlan(settings(lag: 3, epochs: 2))
    #expect(plan.assign(to: ada, capacity: 100, held: [], now: .zero).isEmpty)
    plan.published(0)
    let all = plan.assign(to: ada, capacity: 100, held: [], now: .zero)
    #expect(all.map(\.number) == Array(0..<12))
    #expect(all.map(\.epoch) == [Int](repeating: 0, count: 6) + [Int](repeating: 1, count: 6))
    plan.published(2)
    #expect(plan.assign(to: ben, capacity: 100, held: [], now: .zero).isEmpty)
    #expect(!plan.hasWork(now: .seconds(1000)))
  }

  @Test("an assignment says where its epoch's groups branch, and what is scored")
  func form() {
    var settings = settings()
    settings.branchSteps = [2, 1]
    settings.finalScoreOnly = true
    var plan = WorkPlan(settings)
    for (epoch, step) in [2, 1, 1].enumerated() {
      plan.published(epoch)
      let work = plan.assign(to: ada, capacity: 100, held: [], now: .zero)
      #expect(work.count == 6 && work.allSatisfy { $0.branchStep == step && $0.finalScoreOnly })
    }
  }

  @Test("without lag an epoch waits for its own policy; with lag the next is sampled ahead from the newest")
  func lag() {
    var strict = WorkPlan(settings())
    strict.published(0)
    #expect(strict.assign(to: ada, capacity: 100, held: [], now: .zero).count == 6)
    #expect(strict.assign(to: ben, capacity: 100, held: [], now: .zero).isEmpty)
    strict.published(1)
    #expect(Set(strict.assign(to: ben, capacity: 100, held: [], now: .zero).map(\.policyVersion)) == [1])

    var loose = WorkPlan(settings(lag: 1))
    loose.published(2)
    let ahead = loose.assign(to: ada, capacity: 100, held: [], now: .zero)
    #expect(ahead.map(\.number) == Array(12..<24))
    #expect(Set(ahead.map(\.policyVersion)) == [2])
  }

  @Test("prompts follow from the number alone, and come equally often")
  func prompts() {
    let plan = WorkPlan(settings())
    let other = WorkPlan(settings(lag: 2, groups: 3))
    let prompts = (0..<400).map { plan.prompt(of: $0) }
    #expect(prompts == (0..<400).map { other.prompt(of: $0) })
    for prompt in ["a", "b", "c", "d"] { #expect(prompts.count { $0 == prompt } == 100) }
    #expect(Array(prompts[0..<40]) != Array(prompts[40..<80]))
  }

  @Test("leases: renewed by asking, lent again when they run out, when the holder goes, or lost the assignment")
  func leases() {
    var plan = WorkPlan(settings())
    plan.published(0)
    #expect(plan.assign(to: ada, capacity: 4, held: [], now: .zero).map(\.number) == [0, 1, 2, 3])
    #expect(plan.assign(to: ben, capacity: 9, held: [], now: .seconds(5)).map(\.number) == [4, 5])
    // Ada still has 1 and 2; the message with 0 and 3 was lost.
    #expect(plan.assign(to: ada, capacity: 4, held: [1, 2], now: .seconds(9)).map(\.number) == [0, 3])
    #expect(!plan.hasWork(now: .seconds(14)))
    // Ben's have run out; Ada's were renewed.
    #expect(plan.hasWork(now: .seconds(15)))
    #expect(plan.assign(to: ada, capacity: 9, held: [0, 1, 2, 3], now: .seconds(16)).map(\.number) == [4, 5])
    plan.store(1)
    plan.release(ada)
    #expect(plan.assign(to: ben, capacity: 9, held: [], now: .seconds(17)).map(\.number) == [0, 2, 3, 4, 5])
    #expect(!plan.isComplete(0))
    for number in 0..<6 { plan.store(number) }
    #expect(plan.isComplete(0))
  }

  @Test("what is delivered is judged by what was assigned")
  func judging() throws {
    let bench = try Bench(groupsPerEpoch: 6, epochs: 2)
    defer { bench.remove() }
    var plan = WorkPlan(bench.settings.work)
    plan.published(0)
    let assignment = plan.assign(to: ada, capacity: 1, held: [], now: .zero)[0]
    let group = bench.group(assignment)
    #expect(plan.judge(group) == .wanted)
    func reason(_ change: (inout TrajectoryGroup) -> Void) -> String {
      var changed = group
      change(&changed)
      guard case .unwanted(let reason) = plan.judge(changed) else { return "none" }
      return reason
    }
    #expect(reason { $0.number = 6 } == "group 6 was not assigned")
    #expect(reason { $0.prompt = "cow" }.contains("found \"cow\""))
    #expect(reason { $0.epoch = 1 }.contains("expected epoch 0, found 1"))
    #expect(reason { $0.trajectories.removeLast() }.contains("expected 2 trajectories, found 1"))
    #expect(reason { $0.seed = 8 }.contains("expected run seed 7, found 8"))
    #expect(reason { $0.policyVersion = 1 }.contains("expected policy 0...0, found 1"))
    plan.store(0)
    #expect(plan.judge(group) == .duplicate)
    plan.published(1)
    #expect(plan.judge(group) == .duplicate)
    #expect(plan.settled(policyVersion: 0) == Array(0..<6))
  }

  @Test("with actors that die at random every number is made, and an epoch is complete exactly when all are stored")
  func randomDeaths() {
    var random = RandomStream(seed: 9).fork("deaths")
    let settings = settings(lag: 1, epochs: 6, groups: 5)
    var plan = WorkPlan(settings)
    var now = Duration.zero
    var stored: Set<Int> = []
    var version = 0
    var held: [[UInt8]: [Int]] = [:]
    plan.published(0)
    for _ in 0..<20_000 where version < 6 {
      now += .milliseconds(random.integer(below: 800))
      let actor: [UInt8] = [UInt8(random.integer(below: 3))]
      switch random.integer(below: 10) {
      case 0:
        // Dies without a word.
        held[actor] = []
      case 1:
        held[actor] = []
        plan.release(actor)
      case 2...5:
        let assignments = plan.assign(to: actor, capacity: random.integer(below: 4), held: held[actor] ?? [], now: now)
        for assignment in assignments {
          #expect(!stored.contains(assignment.number))
          #expect(assignment.policyVersion <= assignment.epoch && assignment.policyVersion >= assignment.epoch - 1)
        }
        held[actor, default: []] += assignments.map(\.number)
      default:
        if let number = held[actor]?.popLast() {
          plan.store(number)
          stored.insert(number)
        }
      }
      #expect(plan.isComplete(version) == Set(plan.numbers(ofEpoch: version)).isSubset(of: stored))
      if plan.isComplete(version) {
        version += 1
        plan.published(version)
      }
    }
    #expect(version == 6)
    #expect(stored == Set(0..<30))
  }
}
