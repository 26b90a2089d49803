// `run` starts, watches, restarts and stops its children. Most children here are shell scripts next to a copy of the
// program, so that every way to end takes less than a second.

import Fixtures
import Foundation
import Testing

private func script(_ name: String, _ body: String, in folder: URL) throws {
  let file = folder.appending(path: name)
  try Data("#!/bin/bash\n\(body)\n".utf8).write(to: file)
  try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
}

/// Waits for SIGTERM, and ends with status 0. Nothing is ever written to the pipe `hold`.
private let patient = "trap 'echo stopped; exit 0' TERM; exec 3<>hold; while true; do read -u 3; done"

/// Reads this many lines from the pipe `ready`.
private func awaiting(_ count: Int) -> String { "exec 4<>ready; for i in $(seq \(count)); do read -u 4; done" }

/// A folder with the program, scripts next to it, a configuration, and the named pipes `ready` and `hold`.
private func withPrograms(
  learner: String, actor: String = patient, server: String = patient, _ body: (URL, Program) throws -> Void
) throws {
  try withTemporaryFolder { folder in
    let program = Program(url: folder.appending(path: "stepwise"))
    try FileManager.default.copyItem(at: Program.stepwise.url, to: program.url)
    try script("stepwise-learner", learner, in: folder)
    try script("stepwise-actor", actor, in: folder)
    try script("stepwise-reward-server", server, in: folder)
    for name in ["ready", "hold"] { try #require(mkfifo(folder.appending(path: name).path, 0o600) == 0) }
    try Data("run:\n  folder: work\nsampling:\n  prompts: [cat]\n".utf8).write(to: folder.appending(path: "run.yaml"))
    try body(folder, program)
  }
}

@Suite struct SupervisionTests {
  @Test func `a run ends when its learner finishes, and all other programs are stopped`() throws {
    let notifying = "trap 'echo stopped; exit 0' TERM; echo > ready; exec 3<>hold; while true; do read -u 3; done"
    let learner = "echo learner \"$@\"; \(awaiting(4))"
    try withPrograms(learner: learner, actor: notifying, server: notifying) { folder, program in
      let result = try program.succeed(["run", "--config", "run.yaml"], in: folder)
      #expect(result.output.contains("finished"))
      let logs = folder.appending(path: "work/logs")
      #expect(
        FileManager.default.names(in: logs)
          == ["actor-0.log", "actor-1.log", "learner.log", "reward-server-0.log", "router-0.log"])
      for name in ["actor-0", "actor-1", "reward-server-0", "router-0"] {
        #expect(try String(contentsOf: logs.appending(path: "\(name).log"), encoding: .utf8) == "stopped\n", "\(name)")
      }
      let said = try String(contentsOf: logs.appending(path: "learner.log"), encoding: .utf8)
      #expect(said.contains("--config") && said.contains("run.yaml") && said.contains("run.threads="))
    }
  }

  @Test func `endpoints that are written are used, and the others are sockets of the run`() throws {
    try withPrograms(learner: "echo \"$@\"") { folder, program in
      try program.succeed(
        [
          "run", "--config", "run.yaml", "--set", "network.learner=tcp://127.0.0.1:5801", "--set",
          "network.routerBackends=[tcp://127.0.0.1:9]",
        ], in: folder)
      let said = try String(contentsOf: folder.appending(path: "work/logs/learner.log"), encoding: .utf8)
      #expect(said.contains(#"network.learner="tcp://127.0.0.1:5801""#), "\(said)")
      #expect(said.contains(#"network.routerBackends=["tcp://127.0.0.1:9"]"#), "\(said)")
      #expect(said.contains(#"network.notices="ipc:///"#) && said.contains(#"network.routers=["ipc:///"#), "\(said)")
    }
  }

  @Test func `two runs that start at the same time do not collide`() throws {
    try withTemporaryFolder { folder in
      _ = try TinyModel.make(in: folder)
      let text = """
        run: {model: model, threads: 1}
        sampling: {steps: 2, groupsPerEpoch: 2, batchSize: 2, prompts: [cat]}
        reward: {weights: {jpeg-compressibility: 1}}
        training: {epochs: 2, minibatchSize: 2}
        """
      try Data(text.utf8).write(to: folder.appending(path: "run.yaml"))
      let names = ["first", "second"]
      let runs = try names.map { name in
        try Program.stepwise.start(
          ["run", "--config", "run.yaml", "--actors", "1", "--set", "run.folder=\(name)"], in: folder)
      }
      for (name, run) in zip(names, runs) {
        let result = Program.end(of: run.process, run.output, run.errors)
        #expect(result.status == 0 && result.output.contains("finished"), "\(result.output) \(result.errors)")
        let metrics = try String(contentsOf: folder.appending(path: "\(name)/metrics.jsonl"), encoding: .utf8)
        #expect(metrics.split(separator: "\n").count == 2)
      }
    }
  }

  @Test func `a run ends with the error of its learner, and the folder can be used again`() throws {
    let failing = "touch work/run-id; echo working; echo 'Error: the model has grown wings' >&2; exit 3"
    try withPrograms(learner: failing) { folder, program in
      let result = try program.fail(["run", "--config", "run.yaml"], in: folder, "learner failed (exit status 3)")
      #expect(result.errors.contains("the model has grown wings") && !result.errors.contains("working"))
      #expect(FileManager.default.names(in: folder.appending(path: "work")) == ["logs"])
    }
  }

  @Test func `an actor that is killed is started again`() throws {
    let mortal = "if [ ! -e died-$2 ]; then touch died-$2; kill -9 $$; fi; echo > ready; \(patient)"
    try withPrograms(learner: awaiting(2), actor: mortal) { folder, program in
      let result = try program.succeed(["run", "--config", "run.yaml"], in: folder)
      #expect(result.output.contains("actor-0 ended (killed by signal 9)"))
    }
  }

  @Test func `a run ends with the error of a server that keeps failing`() throws {
    let failing = "[ $1 = serve ] && { echo 'Error: no such reward' >&2; exit 1; }; \(patient)"
    try withPrograms(learner: patient, server: failing) { folder, program in
      let result = try program.fail(["run", "--config", "run.yaml"], in: folder, "no such reward")
      #expect(result.errors.contains("reward-server-0"))
    }
  }

  @Test func `a signal stops the actors first, then the learner, the reward servers and the routers`() throws {
    let noting = { (name: String) in
      "trap 'echo \(name) >> order; exit 0' TERM; echo > ready; exec 3<>hold; while true; do read -u 3; done"
    }
    try withPrograms(learner: noting("learner"), actor: noting("actor"), server: noting("$1")) { folder, program in
      let ready = open(folder.appending(path: "ready").path, O_RDWR)
      defer { close(ready) }
      let (process, output, errors) = try program.start(["run", "--config", "run.yaml", "--actors", "1"], in: folder)
      var events = pollfd(fd: ready, events: Int16(POLLIN), revents: 0), byte: UInt8 = 0
      for _ in 0..<4 { try #require(poll(&events, 1, 60_000) == 1 && read(ready, &byte, 1) == 1) }
      process.interrupt()
      let result = Program.end(of: process, output, errors)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("continue with --resume"))
      let order = try String(contentsOf: folder.appending(path: "order"), encoding: .utf8).split(separator: "\n")
      #expect(order == ["actor", "learner", "serve", "route"])
    }
  }

  @Test func `a run is not overwritten, and a folder without a run is not resumed`() throws {
    try withPrograms(learner: "exit 0") { folder, program in
      try program.fail(["run", "--config", "run.yaml", "--resume"], in: folder, "holds no run to resume")
      try FileManager.default.createDirectory(at: folder.appending(path: "work"), withIntermediateDirectories: true)
      try Data("a-run\n".utf8).write(to: folder.appending(path: "work/run-id"))
      try program.fail(["run", "--config", "run.yaml"], in: folder, "--resume")
    }
  }

  @Test func `errors name a missing program and an unknown key`() throws {
    try withPrograms(learner: "exit 0") { folder, program in
      try program.fail(["run", "--config", "run.yaml", "--set", "training.epoch=3"], in: folder, "training.epochs")
      try FileManager.default.removeItem(at: folder.appending(path: "stepwise-actor"))
      try program.fail(["run", "--config", "run.yaml"], in: folder, "stepwise-actor")
    }
  }
}

@Suite struct QuickstartTests {
  @Test(arguments: [
    (["--reward", "aesthetic"], "reward.models: {aesthetic: PATH}"), (["--reward", "beauty"], "found beauty"),
    (["--reward", "colourfulness", "--resume", "--name", "none"], "holds no run to resume"),
  ])
  func `an error says what a quickstart lacks, before it trains`(arguments: [String], text: String) throws {
    try withTemporaryFolder { folder in
      try Program.stepwise.fail(["quickstart"] + arguments, in: folder, text)
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "runs/quickstart-aesthetic").path))
    }
  }
}
