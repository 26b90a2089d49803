// CLIP's byte-pair tokenizer: the ids equal those of transformers' CLIPTokenizer. Text is normalized to NFC,
// lower-cased and split into words (TokenizerWords); the UTF-8 bytes of a word are joined by the merges of lowest rank.

package import Foundation
internal import Synchronization

package final class Tokenizer: Sendable {
  /// Ids of the tokens that begin, end and pad a prompt.
  package let beginToken, endToken, paddingToken: Int
  /// Length of a padded prompt, including the begin and end tokens.
  package let maximumLength: Int
  package let vocabularySize: Int
  package let largestID: Int

  private let vocabulary: [String: Int]
  private let ranks: [Pair: Int]
  private let unknownToken: Int
  /// Tokens that are matched literally in a prompt, the longest first.
  private let specialTokens: [(text: String, id: Int)]
  private let cache = Mutex<[String: [Int]]>([:])

  struct Pair: Hashable {
    let left, right: String
  }

  /// Reads a folder, see `TokenizerFiles`.
  ///
  /// - Parameter maximumLength: nil takes `model_max_length`, or CLIP's 77 where the files have none. A text encoder
  ///   with fewer positions needs its own number here.
  package convenience init(folder: URL, maximumLength: Int? = nil) throws {
    try self.init(files: TokenizerFiles(folder: folder), name: folder.path, maximumLength: maximumLength)
  }

  /// Builds a tokenizer from the content of its files; `name` stands for the folder in errors.
  package init(files: TokenizerFiles, name: String, maximumLength: Int? = nil) throws {
    let vocabulary = files.vocabulary
    func id(_ key: String, _ standard: String) throws -> Int {
      let token = files.special[key] ?? standard
      guard let id = vocabulary[token] else {
        throw TokenizerError(name, "the \(key) \"\(token)\" is not in vocab.json")
      }
      return id
    }
    beginToken = try id("bos_token", "<|startoftext|>")
    endToken = try id("eos_token", "<|endoftext|>")
    paddingToken = try id("pad_token", "<|endoftext|>")
    unknownToken = try id("unk_token", "<|endoftext|>")
    let limit = maximumLength ?? files.maximumLength ?? 77
    guard limit >= 2 else { throw TokenizerError(name, "the maximum length must be at least 2, found \(limit)") }
    self.maximumLength = limit
    self.vocabulary = vocabulary
    vocabularySize = vocabulary.count
    largestID = vocabulary.values.max() ?? 0
    var ranks: [Pair: Int] = [:]
    for (rank, merge) in files.merges.enumerated() {
      guard vocabulary[merge.left + merge.right] != nil else {
        throw TokenizerError(
          name, "merge \(rank + 1) makes \"\(merge.left + merge.right)\", which is not in vocab.json; "
            + "the two files do not belong together")
      }
      ranks[Pair(left: merge.left, right: merge.right)] = rank
    }
    self.ranks = ranks
    let texts = Set(
      ["bos_token", "eos_token", "pad_token", "unk_token"].compactMap { files.special[$0] }
        + ["<|startoftext|>", "<|endoftext|>"])
    specialTokens = texts.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
      .compactMap { text in vocabulary[text].map { (text, $0) } }
  }

  /// Ids of a prompt: begin token, text, end token and padding, `maximumLength` in all.
  /// A prompt that is too long is an error, or is truncated before the end token, as diffusers does.
  package func encode(_ text: String, truncating: Bool = false) throws -> [Int] {
    var ids = tokens(text)
    let room = maximumLength - 2
    if ids.count > room {
      guard truncating else {
        throw TokenizerError(
          "prompt \"\(text.count > 60 ? text.prefix(60) + "…" : text)\"",
          "expected at most \(room) tokens, found \(ids.count); shorten the prompt")
      }
      ids.removeLast(ids.count - room)
    }
    let padding = [Int](repeating: paddingToken, count: room - ids.count)
    return [beginToken] + ids + [endToken] + padding
  }

  package func encode(_ texts: [String], truncating: Bool = false) throws -> [[Int]] {
    try texts.map { try encode($0, truncating: truncating) }
  }

  /// Ids of a text of any length, without begin token, end token and padding.
  package func tokens(_ text: String) -> [Int] {
    var ids: [Int] = []
    var rest = Substring(text)
    while let found = firstSpecialToken(in: rest) {
      ids += plainTokens(rest[..<found.range.lowerBound])
      ids.append(found.id)
      rest = rest[found.range.upperBound...]
    }
    return ids + plainTokens(rest)
  }

  /// Special tokens are matched by code points in the unchanged text; the leftmost wins, then the longest.
  private func firstSpecialToken(in text: Substring) -> (range: Range<Substring.Index>, id: Int)? {
    let scalars = text.unicodeScalars
    var best: (range: Range<Substring.Index>, id: Int)?
    for (token, id) in specialTokens {
      guard let range = scalars.firstRange(of: token.unicodeScalars) else { continue }
      if best.map({ range.lowerBound < $0.range.lowerBound }) ?? true { best = (range, id) }
    }
    return best
  }

  private func plainTokens(_ text: Substring) -> [Int] {
    TokenizerWords.split(text).flatMap { word in
      if let known = cache.withLock({ $0[word] }) { return known }
      let ids = merged(TokenizerWords.symbols(word)).map { vocabulary[$0] ?? unknownToken }
      cache.withLock { cache in
        // Bounds the memory of a service that sees free text.
        if cache.count >= 100_000 { cache.removeAll() }
        cache[word] = ids
      }
      return ids
    }
  }

  /// Joins all occurrences of the pair of lowest rank, until no known pair is left.
  private func merged(_ symbols: [String]) -> [String] {
    var symbols = symbols
    while symbols.count > 1 {
      var best: (rank: Int, pair: Pair)?
      for (left, right) in zip(symbols, symbols.dropFirst()) {
        let pair = Pair(left: left, right: right)
        if let rank = ranks[pair], rank < best?.rank ?? .max { best = (rank, pair) }
      }
      guard let best else { break }
      symbols = TokenizerWords.joining(best.pair.left, best.pair.right, in: symbols)
    }
    return symbols
  }
}
