// Trains a vocabulary by byte-pair encoding (Sennrich et al. 2016): starts with all bytes and repeatedly joins the most
// frequent pair of neighbours. The same texts give the same files.

package enum TokenizerTrainer {
  /// Tokens of the smallest vocabulary: 256 bytes, 256 bytes at the end of a word, and two special tokens.
  package static let smallestVocabulary = 514

  /// The files of a tokenizer for texts like these. The layout is CLIP's: bytes, bytes at the end of a word, merges,
  /// `<|startoftext|>`, `<|endoftext|>`. Any other text can be encoded too, with more tokens.
  ///
  /// - Parameters:
  ///   - texts: a text that occurs twice counts twice.
  ///   - vocabularySize: number of tokens, at least 514; the result has fewer if every word becomes one token before.
  ///   - maximumLength: `model_max_length`, the text encoder's number of positions.
  package static func train(texts: [String], vocabularySize: Int, maximumLength: Int = 77) -> TokenizerFiles {
    var words = countedWords(texts)
    var merges: [(left: String, right: String)] = []
    // Two merges may make the same token, such as "ab" + "c" and "a" + "bc".
    var made: Set<String> = [], tokens = TokenizerWords.orderedByteSymbols
    tokens += tokens.map { $0 + TokenizerWords.wordEnd }
    while tokens.count < vocabularySize - 2, let pair = mostFrequentPair(words) {
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

  /// The first pair in the order of code points wins ties, so that the result does not depend on a dictionary's order.
  private static func mostFrequentPair(_ words: [(symbols: [String], count: Int)]) -> Tokenizer.Pair? {
    var counts: [Tokenizer.Pair: Int] = [:]
    for word in words {
      for (left, right) in zip(word.symbols, word.symbols.dropFirst()) {
        counts[Tokenizer.Pair(left: left, right: right), default: 0] += word.count
      }
    }
    return counts.max { ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right) }?.key
  }
}
