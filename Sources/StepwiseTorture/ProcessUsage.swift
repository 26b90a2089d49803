// Memory, descriptors and threads of the parts of a torture run, and their growth.

import Foundation

struct ProcessUsage {
  private struct Peak {
    var mebibytes = 0
    var descriptors = 0
    var threads = 0

    mutating func rise(to other: Peak) {
      mebibytes = max(mebibytes, other.mebibytes)
      descriptors = max(descriptors, other.descriptors)
      threads = max(threads, other.threads)
    }
  }

  /// Set once the parts work.
  var halfTime = Date.distantFuture
  private var halves: [[String: Peak]] = [[:], [:]]
  private var next = Date()

  /// Measures processes, at most once in two seconds.
  ///
  /// - Parameter processes: the kind of part and the process identifier of each.
  mutating func measure(_ processes: [(kind: String, identifier: Int32)]) {
    let now = Date()
    guard now >= next else { return }
    next = now.addingTimeInterval(2)
    for (kind, identifier) in processes {
      guard let peak = Self.peak(identifier) else { continue }
      halves[now < halfTime ? 0 : 1][kind, default: Peak()].rise(to: peak)
    }
  }

  /// Usage of a process; nil when it has ended.
  private static func peak(_ identifier: Int32) -> Peak? {
    let folder = "/proc/\(identifier)"
    guard let pages = (try? String(contentsOfFile: "\(folder)/statm", encoding: .utf8))?.split(separator: " "),
      pages.count > 1, let resident = Int(pages[1]),
      let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/fd").count,
      let threads = try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/task").count
    else { return nil }
    return Peak(mebibytes: (resident * 4096) >> 20, descriptors: descriptors, threads: threads)
  }

  func tell(_ report: inout TortureReport) {
    for kind in Set(halves.flatMap(\.keys)) {
      let first = halves[0][kind] ?? Peak(), second = halves[1][kind] ?? Peak()
      var most = first
      most.rise(to: second)
      report.mostMemory[kind] = most.mebibytes
      report.mostDescriptors[kind] = most.descriptors
      report.mostThreads[kind] = most.threads
      if halves[0][kind] != nil, halves[1][kind] != nil {
        report.growth[kind] = .init(
          mebibytes: second.mebibytes - first.mebibytes, descriptors: second.descriptors - first.descriptors,
          threads: second.threads - first.threads)
      }
    }
  }
}
