// A vocabulary of one's own by byte-pair training (Sennrich et al. 2016): begin with all bytes, join the commonest
// neighbours again and again. The same texts give the same files.

/// Learns the merges of a CLIP tokenizer from texts.
package enum TokenizerTrainer {
  /// Tokens that every vocabulary has: 256 bytes, 256 bytes that end a word, and the two special tokens.
  package static let smallestVocabulary = 514

  /// The files of a tokenizer for texts like these. Its layout is that of CLIP's own: bytes, bytes at a word's end,
  /// merges, `<|startoftext|>`, `<|endoftext|>`; any other text can be written in it too, only longer.
  ///
  /// - Parameters:
  ///   - texts: a text that comes twice counts twice.
  ///   - vocabularySize: number of tokens; fewer when every word is one token before that. At least 514.
  ///   - maximumLength: `model_max_length`, the text encoder's number of positions.
  package static func train(texts: [String], vocabularySize: Int, maximumLength: Int = 77) -> TokenizerFiles {
    var words = countedWords(texts)
    var merges: [(left: String, right: String)] = []
    // Two merges may make the same token, as "ab" + "c" and "a" + "bc".
    var made: Set<String> = [], tokens = TokenizerWords.orderedByteSymbols
    tokens += tokens.map { $0 + TokenizerWords.wordEnd }
    while tokens.count < vocabularySize - 2, let pair = commonestPair(words) {
      merges.append((pair.left, pair.right))
      if made.insert(pair.left + pair.right).inserted { tokens.append(pair.left + pair.right) }
      for index in words.indices where words[index].symbols.count > 1 {
        words[index].symbols = TokenizerWords.joining(pair.left, pair.right, in: words[index].symbols)
      }
    }
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return TokenizerFiles(
      vocabulary: Dictionary(uniqueKeysWithValues: zip(tokens, tokens.indices)), merges: merges,
      special: [
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
      ],
      maximumLength: maximumLength)
  }

  private static func countedWords(_ texts: [String]) -> [(symbols: [String], count: Int)] {
    var counts: [String: Int] = [:]
    for text in texts {
      for word in TokenizerWords.split(Substring(text)) { counts[word, default: 0] += 1 }
    }
    return counts.sorted { $0.key < $1.key }.map { (TokenizerWords.symbols($0.key), $0.value) }
  }

  /// Ties go to the pair that comes first in the order of code points, so that nothing depends on a dictionary's order.
  private static func commonestPair(_ words: [(symbols: [String], count: Int)]) -> Tokenizer.Pair? {
    var counts: [Tokenizer.Pair: Int] = [:]
    for word in words {
      for (left, right) in zip(word.symbols, word.symbols.dropFirst()) {
        counts[Tokenizer.Pair(left: left, right: right), default: 0] += word.count
      }
    }
    return counts.max { ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right) }?.key
  }
}
