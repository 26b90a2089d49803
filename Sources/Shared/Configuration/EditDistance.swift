// Finds the known name nearest to a mistyped one.

/// Letters to insert, delete or change to get from `a` to `b` (Levenshtein); case is ignored.
func editDistance(_ a: String, _ b: String) -> Int {
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

/// Of `keys`, as `training.epochs`, the one nearest to `unknown`: by whole path or by the last part alone, the same
/// section first among equals.
func nearestKey(to unknown: String, among keys: [String]) -> String? {
  func last(_ key: String) -> String { key.split(separator: ".").last.map(String.init) ?? key }
  func section(_ key: String) -> String { key.split(separator: ".").first.map(String.init) ?? key }
  func rank(_ key: String) -> (Int, Int) {
    let distance = min(editDistance(unknown, key), editDistance(last(unknown), last(key)))
    return (distance, section(unknown) == section(key) ? 0 : 1)
  }
  return keys.min { rank($0) < rank($1) }
}
