// The section `network`.

/// How the roles connect. Endpoints are those of ZeroMQ: `tcp://ADDRESS:PORT` or `ipc://PATH`. `stepwise run` and
/// `stepwise quickstart` replace endpoints that neither the file nor `--set` has with Unix domain sockets in a temporary
/// folder that only the user can open, so any number of runs fit on one machine. An endpoint that is written is used as
/// it is: write `network.routerBackends` where reward servers of your own, such as those of `python/stepwise_rewards`,
/// join the run, and all four endpoints where programs on other machines do.
package struct NetworkSettings: SettingsSection {
  /// Endpoint at which the learner accepts actors.
  package var learner = "tcp://127.0.0.1:5801"
  /// Endpoint at which the learner announces new policy versions.
  package var notices = "tcp://127.0.0.1:5802"
  /// Endpoints at which the routers accept score requests, one endpoint per router. An actor switches to another router
  /// when one is silent.
  package var routers = ["tcp://127.0.0.1:5803"]
  /// Endpoints at which the same routers accept reward servers, in the same order.
  package var routerBackends = ["tcp://127.0.0.1:5804"]
  /// Folder of keys that `stepwise keys` made. With it, every connection is encrypted and only listed keys connect.
  /// Empty for none. See [security.md](security.md).
  package var keys = ""
  /// Key file of this process. Empty for the file of its role in `network.keys`.
  package var keyFile = ""
  /// Whether endpoints that other machines can reach may be used without keys.
  package var insecure = false
  /// Seconds that a role waits for another role at the start. A larger value waits longer for roles that start late.
  package var connectTimeout: Double = 30
  /// Seconds between two heartbeats. A larger value makes less traffic and notices silence later.
  package var heartbeatInterval: Double = 2
  /// Seconds of silence after which a peer counts as lost. With too small a value, busy peers count as lost.
  package var silenceLimit: Double = 15
  /// Seconds after which an unanswered score counts as missing. A larger value waits longer for slow reward servers.
  package var scoreDeadline: Double = 60
  /// Seconds after which an assignment that was not delivered is given to another actor. A larger value suits slower
  /// actors.
  package var leaseDuration: Double = 120
  /// Bytes of the largest accepted message. Larger pictures and batches need a larger value.
  package var maximumMessageBytes = 67_108_864
  /// Bytes of a policy per message. A larger value makes fewer messages.
  package var policyChunkBytes = 4_194_304
  /// Undelivered groups that an actor keeps before it pauses sampling. A larger value tolerates a longer absence of the
  /// learner.
  package var undeliveredGroups = 64
  /// Bytes of undelivered groups that an actor keeps before it pauses sampling; the limit that is reached first counts.
  package var undeliveredBytes = 1_073_741_824

  package init() {}

  package static let paths = ["keys", "keyFile"]

  package func check(_ problems: inout SettingProblems) {
    for (key, endpoints) in [
      ("network.learner", [learner]), ("network.notices", [notices]), ("network.routers", routers),
      ("network.routerBackends", routerBackends),
    ] {
      problems.require(!endpoints.isEmpty, key, "at least one endpoint", "none")
      for endpoint in endpoints {
        problems.require(
          ["tcp://", "inproc://", "ipc://"].contains { endpoint.hasPrefix($0) && endpoint.count > $0.count }, key,
          "an endpoint such as tcp://127.0.0.1:5801", "\"\(endpoint)\"")
      }
    }
    problems.require(
      routers.count == routerBackends.count, "network.routerBackends",
      "as many endpoints as network.routers has (\(routers.count))", routerBackends.count)
    problems.require(
      keyFile.isEmpty || !keys.isEmpty, "network.keys", "a folder of keys, because network.keyFile is set", "none")
    problems.positive(connectTimeout, "network.connectTimeout")
    problems.positive(heartbeatInterval, "network.heartbeatInterval")
    problems.require(
      silenceLimit > 2 * heartbeatInterval && silenceLimit.isFinite, "network.silenceLimit",
      "more than twice network.heartbeatInterval (\(heartbeatInterval))", silenceLimit)
    problems.positive(scoreDeadline, "network.scoreDeadline")
    problems.positive(leaseDuration, "network.leaseDuration")
    problems.require(
      maximumMessageBytes >= 65536, "network.maximumMessageBytes", "at least 65536", maximumMessageBytes)
    problems.require(
      policyChunkBytes > 0 && policyChunkBytes <= maximumMessageBytes / 2, "network.policyChunkBytes",
      "at most half of network.maximumMessageBytes", policyChunkBytes)
    problems.positive(undeliveredGroups, "network.undeliveredGroups")
    problems.positive(undeliveredBytes, "network.undeliveredBytes")
  }
}
