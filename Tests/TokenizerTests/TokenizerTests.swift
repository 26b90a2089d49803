// The tokenizer splits, merges, pads and refuses like CLIP's; a trained vocabulary can be written and read back.

import Fixtures
import Foundation
import Models
import Testing

private let prompts = [
  "a dolphin", "a red apple on a table", "two dolphins", "the dolphin eats an apple", "a tiger's face",
]

private func trained(_ size: Int = 600, pad: String? = nil) throws -> Tokenizer {
  var files = TokenizerTrainer.train(texts: prompts, vocabularySize: size, maximumLength: 12)
  if let pad { files.special["pad_token"] = pad }
  return try Tokenizer(files: files, name: "trained")
}

@Suite struct TokenizerTests {
  @Test func `a prompt has a begin token, an end token and padding`() throws {
    let tokenizer = try trained()
    let ids = try tokenizer.encode("a dolphin")
    #expect(ids.count == 12)
    #expect(ids.first == tokenizer.beginToken)
    #expect(ids[3...].allSatisfy { $0 == tokenizer.endToken })
    #expect(try tokenizer.encode("") == [tokenizer.beginToken] + [Int](repeating: tokenizer.endToken, count: 11))
  }

  @Test func `case, white space and composition of letters do not matter`() throws {
    let tokenizer = try trained()
    #expect(tokenizer.tokens("  A\tDOLPHIN\n") == tokenizer.tokens("a dolphin"))
    #expect(tokenizer.tokens("cafe\u{301}") == tokenizer.tokens("caf\u{E9}"))
    #expect(tokenizer.tokens("a\u{A0}b\u{85}c") == tokenizer.tokens("a b c"))
  }

  @Test func `words are split at contractions, digits and signs`() throws {
    let tokenizer = try trained(TokenizerTrainer.smallestVocabulary)
    // Without merges every byte is a token; the last byte of a word has another token than the same byte inside.
    let cuts = [
      ("tiger's", ["tiger", "'s"]), ("we'll've", ["we", "'ll", "'ve"]), ("x12", ["x", "1", "2"]),
      ("'store", ["'s", "tore"]), ("!'s", ["!'", "s"]), ("a-b_c", ["a", "-", "b", "_", "c"]),
      ("日本", ["日本"]), ("½", ["½"]), ("fox🦊&", ["fox", "🦊&"]),
    ]
    for (text, words) in cuts {
      // None of these words is split again.
      let apart = words.flatMap { tokenizer.tokens($0) }
      #expect(tokenizer.tokens(text) == apart, "\(text)")
      #expect(tokenizer.tokens(text).count == text.utf8.count)
      let ends = tokenizer.tokens(text).filter { $0 >= 256 }.count
      #expect(ends == words.count, "\(text) has \(words.count) words")
    }
  }

  @Test func `special tokens in a prompt are matched literally`() throws {
    let tokenizer = try trained(pad: "!")
    #expect(tokenizer.tokens("dolphin<|endoftext|>").last == tokenizer.endToken)
    #expect(tokenizer.paddingToken == 0)
    #expect(tokenizer.tokens("dolphin!!").suffix(2) == [0, 0])
    #expect(try tokenizer.encode("dolphin").suffix(2) == [0, 0])
    #expect(try trained().tokens("dolphin!!").last != 0)
  }

  @Test func `a long prompt is refused with both lengths, or truncated if that is allowed`() throws {
    let tokenizer = try trained()
    let long = String(repeating: "dolphin ", count: 30)
    let error = #expect(throws: TokenizerError.self) { try tokenizer.encode(long) }
    #expect(error?.description.contains("at most 10 tokens, found 30") == true)
    let cut = try tokenizer.encode(long, truncating: true)
    #expect(cut.count == 12 && cut.last == tokenizer.endToken && cut[10] == cut[1])
  }

  @Test func `training merges whole words and depends only on the texts`() throws {
    let tokenizer = try trained()
    for word in ["dolphin", "apple", "tiger", "'s"] { #expect(tokenizer.tokens(word).count == 1, "\(word)") }
    let again = TokenizerTrainer.train(texts: prompts, vocabularySize: 600, maximumLength: 12)
    let first = TokenizerTrainer.train(texts: prompts, vocabularySize: 600, maximumLength: 12)
    #expect(again.vocabulary == first.vocabulary)
    #expect(again.merges.map(\.left) == first.merges.map(\.left))
    #expect(tokenizer.endToken == tokenizer.vocabularySize - 1)
  }

  @Test func `a vocabulary is not larger than requested`() throws {
    for size in [514, 515, 530] {
      #expect(try trained(size).vocabularySize == size)
    }
    #expect(try trained(100_000).vocabularySize < 700)
  }

  @Test func `a written folder is read back as the same tokenizer`() throws {
    try withTemporaryFolder { folder in
      let files = TokenizerTrainer.train(texts: prompts, vocabularySize: 560, maximumLength: 12)
      try files.write(to: folder)
      let written = try Tokenizer(folder: folder), direct = try Tokenizer(files: files, name: "direct")
      #expect(written.maximumLength == 12)
      for text in prompts + ["\"quoted\" \\ back", "naïve 🦊", "unseen words"] {
        #expect(written.tokens(text) == direct.tokens(text))
      }
      #expect(try Tokenizer(folder: folder, maximumLength: 5).encode("a").count == 5)
    }
  }

  @Test(arguments: [true, false])
  func `the single file of transformers 5 gives the same ids`(mergesAreLists: Bool) throws {
    try withTemporaryFolder { folder in
      let files = TokenizerTrainer.train(texts: prompts, vocabularySize: 600, maximumLength: 12)
      let merges = files.merges.map { pair in
        mergesAreLists
          ? JSONValue.array([.string(pair.left), .string(pair.right)]) : .string("\(pair.left) \(pair.right)")
      }
      let model: [String: JSONValue] = [
        "type": .string("BPE"), "end_of_word_suffix": .string("</w>"), "merges": .array(merges),
        "vocab": .object(files.vocabulary.mapValues { .number(Double($0)) }),
      ]
      let file = folder.appendingPathComponent("tokenizer.json")
      try JSONEncoder().encode(["model": JSONValue.object(model)]).write(to: file)
      let read = try Tokenizer(folder: folder, maximumLength: 12), trained = try trained()
      for prompt in prompts { #expect(try read.encode(prompt) == trained.encode(prompt)) }

      try JSONEncoder().encode(["model": JSONValue.object(["type": .string("Unigram")])]).write(to: file)
      let error = #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder) }
      #expect(error?.description.contains("tokenizer.json") == true)
    }
  }

  @Test func `problems of a folder are reported with the file`() throws {
    try withTemporaryFolder { folder in
      let missing = #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder) }
      #expect(missing?.description.contains("vocab.json") == true)
      try TokenizerTrainer.train(texts: prompts, vocabularySize: 560).write(to: folder)
      let merges = folder.appendingPathComponent("merges.txt")
      try Data("#version: 0.2\na b c\n".utf8).write(to: merges)
      let broken = #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder) }
      #expect(broken?.description.contains("merges.txt:2") == true)
      try Data("#version: 0.2\nq q\n".utf8).write(to: merges)
      let stranger = #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder) }
      #expect(stranger?.description.contains("do not belong together") == true)
      try Data("[1]".utf8).write(to: folder.appendingPathComponent("vocab.json"))
      #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder) }
    }
  }
}
