// A message is one frame on the wire: an Envelope of proto/stepwise.proto that holds exactly one kind. Decoding returns
// a checked value, or throws an error that names the peer and the field. The memory it takes is bounded by the number
// of bytes (see Budget.swift).

/// One message of the protocol.
package enum Message: Sendable {
  /// From actors to the learner, from reward servers and clients to routers.
  case hello(Hello)
  /// From the learner to an actor.
  case welcome(Welcome)
  /// From any peer to any peer: a message was not accepted.
  case refusal(Refusal)
  /// From routers to reward servers and clients.
  case heartbeat(Heartbeat)
  /// From actors to the learner, from reward servers to routers.
  case goodbye(Goodbye)
  /// From an actor to the learner.
  case workRequest(WorkRequest)
  /// From the learner to an actor.
  case work(Work)
  /// From the learner to an actor: the learner needs no more groups.
  case runFinished(RunFinished)
  /// From an actor to the learner.
  case group(TrajectoryGroup)
  /// From the learner to an actor: the groups are stored.
  case acknowledgement(Acknowledgement)
  /// From the learner to all actors.
  case policyNotice(PolicyNotice)
  /// From an actor to the learner.
  case policyRequest(PolicyRequest)
  /// From the learner to an actor.
  case policyChunk(PolicyChunk)
  /// From an actor or the learner to a router, and from the router to a reward server.
  case scoreRequest(ScoreRequest)
  /// From a reward server to a router, and from the router to the client.
  case scoreReply(ScoreReply)
  /// From a reward server to a router.
  case serverReady(ServerReady)
  /// From a client to a router.
  case rewardsQuery(RewardsQuery)
  /// From a router to a client.
  case rewardsOffered(RewardsOffered)

  /// The largest size of a message. Senders split larger payloads, and sockets refuse larger frames.
  package static let largestByteCount = 256 << 20

  /// The name of the kind in the envelope, for logs and errors.
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
