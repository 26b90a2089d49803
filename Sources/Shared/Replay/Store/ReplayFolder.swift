// The names of the files of a replay folder, and the removal of unfinished files.

internal import Basics
internal import Durable

enum ReplayFolder {
  static func journal(_ folder: String, _ number: Int) -> String { "\(folder)/journal-\(number.padded(to: 6))" }
  static func segment(_ folder: String, _ number: Int) -> String { "\(folder)/segment-\(number.padded(to: 6)).h5" }
  static func quarantine(_ folder: String) -> String { "\(folder)/quarantine" }

  /// The numbers of the journals, ascending.
  static func journals(_ folder: String) throws -> [Int] { try numbers(folder, "journal-", "") }
  /// The numbers of the sealed segments, ascending.
  static func segments(_ folder: String) throws -> [Int] { try numbers(folder, "segment-", ".h5") }

  private static func numbers(_ folder: String, _ prefix: String, _ suffix: String) throws -> [Int] {
    try Disk.names(in: folder).compactMap { name in
      guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
      return Int(name.dropFirst(prefix.count).dropLast(suffix.count))
    }.sorted()
  }

  /// Removes unfinished files, and creates a journal if there is none. Returns the number of the journal to continue.
  static func prepare(_ folder: String) throws -> Int {
    for name in try Disk.names(in: folder) where name.hasSuffix(Disk.partialSuffix) {
      try Disk.remove("\(folder)/\(name)")
    }
    if let last = try journals(folder).last { return last }
    let number = (try segments(folder).last ?? 0) + 1
    try Disk.writeWhole(JournalRecord.encode(.marks, number: 0, payload: []), to: journal(folder, number))
    return number
  }
}
