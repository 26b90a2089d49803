// tokenizer.json, the single file in which transformers 5 stores the content of vocab.json and merges.txt.

internal import Foundation

/// The vocabulary and merges of a tokenizer.json. Its other entries describe how CLIP splits text, which TokenizerWords
/// implements.
struct TokenizerJSON: Decodable {
  struct Model: Decodable {
    let type: String?
    let vocab: [String: Int]
    let merges: [Merge]
    // The key of the file.
    let end_of_word_suffix: String?
  }

  /// Written as two strings, or by older versions as one string with a space in between.
  struct Merge: Decodable {
    let left, right: String

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      let parts = try (try? value.decode([String].self))
        ?? value.decode(String.self).split(separator: " ").map(String.init)
      guard parts.count == 2 else {
        throw DecodingError.dataCorruptedError(in: value, debugDescription: "a merge of \(parts.count) symbols")
      }
      (left, right) = (parts[0], parts[1])
    }
  }

  let model: Model

  /// - Throws: `TokenizerError` with the path when the file holds another kind of tokenizer.
  init(file: URL) throws {
    guard let data = try? Data(contentsOf: file), let found = try? JSONDecoder().decode(TokenizerJSON.self, from: data),
      found.model.type ?? "BPE" == "BPE", found.model.end_of_word_suffix == "</w>"
    else {
      throw TokenizerError(
        file.path, "not a byte-pair tokenizer like CLIP's (model.type BPE with vocab, merges and end_of_word_suffix "
          + "</w>); add CLIP's vocab.json and merges.txt to the folder")
    }
    self = found
  }
}
