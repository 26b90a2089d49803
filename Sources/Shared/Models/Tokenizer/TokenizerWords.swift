// CLIP's preparation of text for byte-pair merges: text is split into words by Unicode categories, and words into their
// UTF-8 bytes, each written as one visible character (GPT-2's table); the last one is marked with </w>.

internal import Foundation

enum TokenizerWords {
  /// The words of a text: NFC, each scalar lower-cased, then CLIP's pattern
  /// `'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`.
  static func split(_ text: Substring) -> [String] {
    var scalars: [Unicode.Scalar] = []
    for scalar in String(text).precomposedStringWithCanonicalMapping.unicodeScalars {
      scalars += scalar.properties.lowercaseMapping.unicodeScalars
    }
    var words: [String] = []
    var start = 0
    while start < scalars.count {
      let kind = Kind(scalars[start])
      var end = start + 1
      if let suffix = contraction(scalars[start...]) {
        end = start + suffix
      } else if kind == .letter || kind == .other {
        while end < scalars.count, Kind(scalars[end]) == kind { end += 1 }
      }
      if kind != .space { words.append(string(scalars[start..<end])) }
      start = end
    }
    return words
  }

  private enum Kind {
    case letter, number, space, other

    init(_ scalar: Unicode.Scalar) {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
      case .decimalNumber, .letterNumber, .otherNumber: self = .number
      default: self = scalar.properties.isWhitespace ? .space : .other
      }
    }
  }

  private static let contractions: [[Unicode.Scalar]] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  private static func contraction(_ scalars: ArraySlice<Unicode.Scalar>) -> Int? {
    guard scalars.first == "'" else { return nil }
    return contractions.first { scalars.starts(with: $0) }?.count
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// The symbols of a word before any merge.
  static func symbols(_ word: String) -> [String] {
    var symbols = word.utf8.map { byteSymbols[Int($0)] }
    if !symbols.isEmpty { symbols[symbols.count - 1] += wordEnd }
    return symbols
  }

  /// Marks the last symbol of a word.
  static let wordEnd = "</w>"

  /// GPT-2's character for each byte: the byte itself if it is visible, otherwise a character from U+0100 upwards.
  static let byteSymbols: [String] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      if (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte) {
        return String(Unicode.Scalar(UInt8(byte)))
      }
      defer { next += 1 }
      return String(Unicode.Scalar(next)!)
    }
  }()

  /// The 256 characters in the order of CLIP's vocabulary: the visible ones first.
  static let orderedByteSymbols: [String] = byteSymbols.sorted { $0.unicodeScalars.first! < $1.unicodeScalars.first! }

  /// Replaces every `left`, `right` by `leftright`, from left to right.
  static func joining(_ left: String, _ right: String, in symbols: [String]) -> [String] {
    var joined: [String] = []
    joined.reserveCapacity(symbols.count)
    var place = 0
    while place < symbols.count {
      if place + 1 < symbols.count, symbols[place] == left, symbols[place + 1] == right {
        joined.append(left + right)
        place += 2
      } else {
        joined.append(symbols[place])
        place += 1
      }
    }
    return joined
  }
}
