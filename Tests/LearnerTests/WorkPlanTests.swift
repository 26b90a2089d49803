import Engine
import Learner
import Messages
import Testing

@Suite struct WorkPlanTests {
  private func settings(lag: Int = 0, epochs: Int = 5, groups: Int = 6) -> WorkPlan.Settings {
    var settings = WorkPlan.Settings(
      seed: 1, prompts: ["a", "b", "c", "d"], groupsPerEpoch: groups, groupSize: 2, epochs: epochs)
    settings.maximumStaleness = lag
    settings.leaseDuration = .seconds(10)
    return settings
  }

  private let ada: [UInt8] = [1], ben: [UInt8] = [2]

  @Test func `no group is assigned before there is a policy, nor beyond the last epoch`() {
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

  @Test func `an assignment has the branch step of its epoch and the scored states`() {
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

  @Test func `without staleness an epoch waits for its own policy; with staleness the next one is sampled ahead`() {
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

  @Test func `prompts follow from the number alone and are used equally often`() {
    let plan = WorkPlan(settings())
    let other = WorkPlan(settings(lag: 2, groups: 3))
    let prompts = (0..<400).map { plan.prompt(of: $0) }
    #expect(prompts == (0..<400).map { other.prompt(of: $0) })
    for prompt in ["a", "b", "c", "d"] { #expect(prompts.count { $0 == prompt } == 100) }
    #expect(Array(prompts[0..<40]) != Array(prompts[40..<80]))
  }

  @Test func `leases are renewed by requests, and end by time, by loss or with their holder`() {
    var plan = WorkPlan(settings())
    plan.published(0)
    #expect(plan.assign(to: ada, capacity: 4, held: [], now: .zero).map(\.number) == [0, 1, 2, 3])
    #expect(plan.assign(to: ben, capacity: 9, held: [], now: .seconds(5)).map(\.number) == [4, 5])
    // Ada holds 1 and 2; the assignments 0 and 3 were lost.
    #expect(plan.assign(to: ada, capacity: 4, held: [1, 2], now: .seconds(9)).map(\.number) == [0, 3])
    #expect(!plan.hasWork(now: .seconds(14)))
    // Ben's leases have ended; Ada's were renewed.
    #expect(plan.hasWork(now: .seconds(15)))
    #expect(plan.assign(to: ada, capacity: 9, held: [0, 1, 2, 3], now: .seconds(16)).map(\.number) == [4, 5])
    plan.store(1)
    plan.release(ada)
    #expect(plan.assign(to: ben, capacity: 9, held: [], now: .seconds(17)).map(\.number) == [0, 2, 3, 4, 5])
    #expect(!plan.isComplete(0))
    for number in 0..<6 { plan.store(number) }
    #expect(plan.isComplete(0))
  }

  @Test func `when actors die at random, every number is still sampled, and each epoch becomes complete`() {
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
        // The actor dies without a goodbye.
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
