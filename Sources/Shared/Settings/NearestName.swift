// Finds the known name nearest to a mistyped one.

/// The number of letters to insert, delete or change to get from `a` to `b` (Levenshtein); case is ignored.
package func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a.lowercased()), b = Array(b.lowercased())
  var row = Array(0...b.count)
  for (i, letter) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in b.enumerated() {
      let changed = diagonal + (letter == other ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(changed, diagonal + 1, row[j] + 1)
    }
  }
  return row[b.count]
}

/// The name nearest to `unknown`; the first of equals, nil when there is no name.
package func nearestName(to unknown: String, among names: [String]) -> String? {
  names.min { editDistance(unknown, $0) < editDistance(unknown, $1) }
}

/// The key of `keys`, such as `training.epochs`, that is nearest to `unknown`, by whole path or by the last part alone;
/// of equals, the first in the same section.
package func nearestKey(to unknown: String, among keys: [String]) -> String? {
  func last(_ key: String) -> String { key.split(separator: ".").last.map(String.init) ?? key }
  func section(_ key: String) -> String { key.split(separator: ".").first.map(String.init) ?? key }
  func rank(_ key: String) -> (Int, Int) {
    let distance = min(editDistance(unknown, key), editDistance(last(unknown), last(key)))
    return (distance, section(unknown) == section(key) ? 0 : 1)
  }
  return keys.min { rank($0) < rank($1) }
}
