import Engine
import Foundation
import Messages
import Replay
import Testing

/// The output of a Python script; nil when it fails.
private func run(_ python: String, _ script: String, _ arguments: String...) -> String? {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [python, "-c", script] + arguments
  let output = Pipe()
  process.standardOutput = output
  process.standardError = FileHandle.nullDevice
  do { try process.run() } catch { return nil }
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
}

/// The first Python with h5py: that of the path, or that of the system.
private let python = ["python3", "/usr/bin/python3"].first { run($0, "import h5py") != nil }

@Suite struct ForeignReaderTests {
  @Test(.enabled(if: python != nil, "no python3 has h5py; install it (Debian: python3-h5py)"))
  func `h5py reads a sealed segment`() throws {
    let script = """
      import h5py, sys

      def crc32c(data):
          crc = 0xFFFFFFFF
          for byte in data:
              crc ^= byte
              for _ in range(8):
                  crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
          return crc ^ 0xFFFFFFFF

      with h5py.File(sys.argv[1], "r") as f:
          print(f.attrs["schema_version"], *[f.attrs[k].decode() for k in ("run_id", "model_hash")])
          print(repr(f.attrs["configuration"].decode()))
          g, t, s = f["groups"], f["trajectories"], f["scores"]
          print(list(g["number"][:]), g["prompt"].asstr()[2], list(g["timesteps"][1]), list(g["first_trajectory"][:]))
          print(t["states"].shape, t["states"].dtype, t["clean_states"].shape)
          print(crc32c(t["states"][3].tobytes()) == t["states_crc32c"][3],
                crc32c(t["clean_states"][3].tobytes()) == t["clean_states_crc32c"][3])
          print(repr(float(t["states"][3, 0, 0, 0, 1])), repr(float(t["log_probabilities"][3, 2])))
          print(s["reward"].asstr()[0], list(s["value"][:3]))
      """
    try withFolder { folder in
      let store = try ReplayStore(folder: folder, origin: exampleOrigin)
      for number in 0..<3 { try store.add(number) }
      try store.seal()
      let python = try #require(python)
      let output = try #require(run(python, script, segmentPaths(folder)[0]))
      let printed = output.split(separator: "\n").map { String($0) }
      try #require(printed.count == 7)
      #expect(printed[0] == "2 run-1 abc")
      #expect(printed[1] == "'run:\\n  seed: 1\\n'")
      #expect(printed[2].contains("prompt 2 🐸"))
      #expect(printed[3] == "(6, 4, 2, 4, 4) float32 (6, 3, 2, 4, 4)")
      #expect(printed[4] == "True True")
      let group = exampleGroup(1)
      let numbers = printed[5].split(separator: " ").compactMap { Float($0) }
      #expect(numbers == [group.trajectories[1].states.values[1], group.trajectories[1].logProbabilities[2]])
      #expect(printed[6].hasPrefix("alignment"))
    }
  }
}
