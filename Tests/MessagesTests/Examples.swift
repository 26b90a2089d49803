// One message of every kind, in which no field has its default value.

import Engine
import Messages
import Roles

func ramp(_ shape: [Int], from start: Float = 0) -> Tensor {
  Tensor((0..<shape.product).map { start + Float($0) / 8 }, shape: shape)
}

func exampleTrajectory(steps: Int = 3, start: Float = 0, scored: Bool = true) -> Trajectory {
  Trajectory(
    states: ramp([steps + 1, 2, 3, 4], from: start), cleanStates: ramp([steps, 2, 3, 4], from: -start),
    logProbabilities: (0..<steps).map { -Float($0) - 0.25 },
    scores: [
      Score(step: 0, reward: "alignment", version: "emoji-clip-1", value: 0.5),
      Score(step: steps - 1, reward: "alignment", version: "emoji-clip-1", value: scored ? 0.75 : nil),
    ], denseRewards: scored ? (0..<steps).map { Float($0) + start } : [], anchorStep: steps - 1)
}

func exampleGroup(number: Int = 7, epoch: Int = 2, prompt: String = "a grüner 🐸 frog") -> TrajectoryGroup {
  TrajectoryGroup(
    runID: "run-1", number: number, epoch: epoch, actor: "actor-2", incarnation: 3, policyVersion: 5, prompt: prompt,
    seed: .max, timesteps: [981, 500, 19], eta: 1, guidanceScale: 2.5,
    trajectories: [exampleTrajectory(), exampleTrajectory(start: 4)])
}

let exampleDigest = String(repeating: "0af3", count: 16)

let exampleImages = ImageBatch(count: 2, height: 2, width: 3, pixels: (0..<36).map { UInt8($0 * 7) })

let examples: [Message] = [
  .hello(Hello(role: .rewardServer, runID: "run-1", modelHash: "abc", name: "server-1", incarnation: 9)),
  .welcome(
    Welcome(
      runID: "run-1", runSeed: 0xFFFF_FFFF_FFFF_FFFE,
      policy: PolicyNotice(version: 4, digest: exampleDigest, tensorCount: 64))),
  .refusal(Refusal(reason: "no", numbers: [1, 1 << 40])),
  .heartbeat(Heartbeat()),
  .goodbye(Goodbye(reason: "SIGTERM")),
  .workRequest(WorkRequest(capacity: 4, held: [10, 11])),
  .work(
    Work(assignments: [
      Assignment(number: 12, epoch: 1, prompt: "a cat", groupSize: 2, policyVersion: 1),
      Assignment(
        number: 13, epoch: 1, prompt: "", groupSize: 2, policyVersion: 1, branchStep: 3, finalScoreOnly: true),
    ])),
  .runFinished(RunFinished(reason: "all epochs are done")),
  .group(exampleGroup()),
  .acknowledgement(Acknowledgement(numbers: [3, 4, 5])),
  .policyNotice(PolicyNotice(version: 4, digest: exampleDigest, tensorCount: 64)),
  .policyRequest(PolicyRequest(version: 4, offset: 1 << 20, byteCount: 1 << 20)),
  .policyChunk(PolicyChunk(version: 4, offset: 100, bytes: [0, 255, 1], total: 103, digest: exampleDigest)),
  .scoreRequest(
    ScoreRequest(
      id: 77, rewards: ["alignment", "jpeg-compressibility"], prompts: ["a", "b"], images: .bytes(exampleImages),
      deadline: 30_000,
      positions: [GroupPosition(trajectory: 0, step: 3), GroupPosition(trajectory: 1, step: 2)])),
  .scoreRequest(
    ScoreRequest(
      id: 78, rewards: ["alignment"], prompts: ["a", "b"], images: .pixels(ramp([2, 2, 3, 3])), deadline: 30_000)),
  .scoreReply(
    ScoreReply(
      id: 77,
      results: [
        ScoreResult(reward: "alignment", version: "1", values: [0.5, nil], error: "the second image is blank"),
        ScoreResult(reward: "taste", version: "2", values: [1, 2], gradient: ramp([2, 2, 3, 3], from: -1)),
      ])),
  .serverReady(
    ServerReady(
      name: "server-1", rewards: [RewardVersion(name: "alignment", version: "1", hasGradient: true)],
      credits: 2)),
  .rewardsQuery(RewardsQuery()),
  .rewardsOffered(RewardsOffered(rewards: [RewardVersion(name: "taste", version: "2", hasGradient: true)])),
]
