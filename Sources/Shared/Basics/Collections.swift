// What the standard library lacks for collections.

extension Array {
  /// Consecutive parts of `size` elements; the last part may be shorter.
  package func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}

extension Range<Int> {
  /// Consecutive ranges of `size` numbers; the last one may be shorter.
  package func chunks(of size: Int) -> [Range<Int>] {
    stride(from: lowerBound, to: upperBound, by: size).map { $0..<Swift.min($0 + size, upperBound) }
  }
}

extension Sequence where Element: Hashable {
  /// The elements without repetitions, each where it appears first.
  package func unique() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
