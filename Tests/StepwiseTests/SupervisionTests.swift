// `run` starts, watches, restarts and stops its children. The children here are shell scripts beside a copy of the
// program, so every way to live and die can be had in a second.

import Foundation
import Testing

private func script(_ name: String, _ body: String, in folder: URL) throws {
  let file = folder.appending(path: name)
  try Data("#!/bin/bash\n\(body)\n".utf8).write(to: file)
  try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
}

/// Waits for SIGTERM, then ends in peace.
private let patient = "trap 'echo stopped; exit 0' TERM; while true; do sleep 0.05; done"

/// A folder with the program, scripts as its siblings, and a configuration.
private func withPrograms(
  learner: String, actor: String = patient, server: String = patient, _ body: (URL, Program) throws -> Void
) throws {
  try withTemporaryFolder { folder in
    let program = Program(url: folder.appending(path: "stepwise"))
    try FileManager.default.copyItem(at: Program.built.url, to: program.url)
    try script("stepwise-learner", learner, in: folder)
    try script("stepwise-actor", actor, in: folder)
    try script("stepwise-reward-server", server, in: folder)
    try Data("run:\n  folder: work\nsampling:\n  prompts: [cat]\n".utf8).write(to: folder.appending(path: "run.yaml"))
    try body(folder, program)
  }
}

@Suite struct SupervisionTests {
  @Test func `a learner that finishes ends the run, and everybody is asked to stop`() throws {
    try withPrograms(learner: "echo learner \"$@\"; sleep 0.3") { folder, program in
      let result = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(result.status == 0, "\(result.errors)")
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

  @Test func `a learner that fails ends the run with its own words, and the folder can be used again`() throws {
    let failing = "touch work/run-id; echo working; echo 'Error: the model has grown wings' >&2; exit 3"
    try withPrograms(learner: failing) { folder, program in
      let result = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(result.status != 0)
      #expect(result.errors.contains("learner failed (exit status 3)"), "\(result.errors)")
      #expect(result.errors.contains("the model has grown wings") && !result.errors.contains("working"))
      #expect(FileManager.default.names(in: folder.appending(path: "work")) == ["logs"])
    }
  }

  @Test func `an actor that is killed is started again`() throws {
    let mortal = "if [ ! -e died-$2 ]; then touch died-$2; kill -9 $$; fi; touch lived-$2; \(patient)"
    let waiting = "for i in $(seq 200); do [ -e lived-actor-0 ] && [ -e lived-actor-1 ] && exit 0; sleep 0.05; done; exit 1"
    try withPrograms(learner: waiting, actor: mortal) { folder, program in
      let result = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("actor-0 ended (killed by signal 9)"))
    }
  }

  @Test func `a server that dies again and again ends the run with its own words`() throws {
    let failing = "[ $1 = serve ] && { echo 'Error: no such reward' >&2; exit 1; }; \(patient)"
    try withPrograms(learner: patient, server: failing) { folder, program in
      let result = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(result.status != 0 && result.errors.contains("no such reward"), "\(result.errors)")
      #expect(result.errors.contains("reward-server-0"))
    }
  }

  @Test func `a signal stops actors first, then the learner, then those who answer`() throws {
    let noting = { (name: String) in
      "trap 'echo \(name) >> order; exit 0' TERM; touch ready-\(name); while true; do sleep 0.05; done"
    }
    try withPrograms(learner: noting("learner"), actor: noting("actor"), server: noting("$1")) { folder, program in
      let (process, output, errors) = try program.start(["run", "--config", "run.yaml", "--actors", "1"], in: folder)
      let names = ["ready-learner", "ready-actor", "ready-serve", "ready-route"]
      while process.isRunning, !names.allSatisfy({ FileManager.default.fileExists(atPath: folder.appending(path: $0).path) }) {
        Thread.sleep(forTimeInterval: 0.02)
      }
      process.interrupt()
      let result = Program.end(of: process, output, errors)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("--resume goes on"))
      let order = try String(contentsOf: folder.appending(path: "order"), encoding: .utf8).split(separator: "\n")
      #expect(order == ["actor", "learner", "serve", "route"])
    }
  }

  @Test func `a folder that holds a run is not overwritten, and one without is not resumed`() throws {
    try withPrograms(learner: "exit 0") { folder, program in
      let empty = try program.run(["run", "--config", "run.yaml", "--resume"], in: folder)
      #expect(empty.status != 0 && empty.errors.contains("found none"))
      try FileManager.default.createDirectory(at: folder.appending(path: "work"), withIntermediateDirectories: true)
      try Data("a-run\n".utf8).write(to: folder.appending(path: "work/run-id"))
      let taken = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(taken.status != 0 && taken.errors.contains("--resume"))
    }
  }

  @Test func `a missing program and an unknown key are named`() throws {
    try withPrograms(learner: "exit 0") { folder, program in
      let key = try program.run(["run", "--config", "run.yaml", "--set", "training.epoch=3"], in: folder)
      #expect(key.status != 0 && key.errors.contains("training.epochs"))
      try FileManager.default.removeItem(at: folder.appending(path: "stepwise-actor"))
      let missing = try program.run(["run", "--config", "run.yaml"], in: folder)
      #expect(missing.status != 0 && missing.errors.contains("stepwise-actor"))
    }
  }
}
