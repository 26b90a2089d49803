// A whole text-to-image model of a few thousand random weights: the golden set's, with a tokenizer of single letters.

public import Foundation

/// The SD 2 model of the golden set: 4 latent channels, 8 x 8 latents, 12 positions.
public enum TinyModel {
  public static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Makes the folder `model` in another; every one has the same fingerprint. Returns the model's folder.
  public static func make(in folder: URL) throws -> URL {
    let model = folder.appending(path: "model"), tokenizer = model.appending(path: "tokenizer")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: repository.appending(path: "Tests/Golden/models/sd2"), to: model)
    try FileManager.default.createDirectory(at: tokenizer, withIntermediateDirectories: true)
    // The ids of the special tokens are those that the text encoder's configuration has.
    var vocabulary = ["<|startoftext|>": 398, "<|endoftext|>": 399]
    for (number, letter) in "abcdefghijklmnopqrstuvwxyz".enumerated() {
      vocabulary[String(letter)] = number
      vocabulary["\(letter)</w>"] = 100 + number
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try encoder.encode(vocabulary).write(to: tokenizer.appending(path: "vocab.json"))
    try Data("#version: 0.2\n".utf8).write(to: tokenizer.appending(path: "merges.txt"))
    try Data(#"{"model_max_length": 12}"#.utf8).write(to: tokenizer.appending(path: "tokenizer_config.json"))
    return model
  }
}
