// A message is one frame on the wire: an Envelope of proto/stepwise.proto that holds exactly one kind. Decoding returns
// a checked value, or throws an error that names the peer and the field. The memory it takes is bounded by the number
// of bytes (see Budget.swift).

package enum Message: Sendable {
  // Connections: Hello is sent by actors to the learner, and by reward servers and clients to routers.
  case hello(Hello), welcome(Welcome), refusal(Refusal), heartbeat(Heartbeat), goodbye(Goodbye)

  // From an actor to the learner
  case workRequest(WorkRequest), group(TrajectoryGroup), policyRequest(PolicyRequest)
  // From the learner to actors
  case work(Work), acknowledgement(Acknowledgement), policyNotice(PolicyNotice), policyChunk(PolicyChunk)
  case runFinished(RunFinished)

  // From a client (an actor, the learner or a tool) to a router, which passes score requests to a reward server
  case scoreRequest(ScoreRequest), rewardsQuery(RewardsQuery)
  // From a reward server to a router, which passes score replies to the client
  case scoreReply(ScoreReply), serverReady(ServerReady)
  // From a router to a client
  case rewardsOffered(RewardsOffered)

  /// The largest size of a message. Senders split larger payloads, and sockets refuse larger frames.
  package static let largestByteCount = 256 << 20

  package var name: String {
    switch self {
    case .hello: "hello"
    case .welcome: "welcome"
    case .refusal: "refusal"
    case .heartbeat: "heartbeat"
    case .goodbye: "goodbye"
    case .workRequest: "work_request"
    case .work: "work"
    case .runFinished: "run_finished"
    case .group: "trajectory_group"
    case .acknowledgement: "acknowledgement"
    case .policyNotice: "policy_notice"
    case .policyRequest: "policy_request"
    case .policyChunk: "policy_chunk"
    case .scoreRequest: "score_request"
    case .scoreReply: "score_reply"
    case .serverReady: "server_ready"
    case .rewardsQuery: "rewards_query"
    case .rewardsOffered: "rewards_offered"
    }
  }
}
