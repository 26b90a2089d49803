// A whole text-to-image model of a few thousand random weights, put together from the golden parts and a tokenizer of
// single letters.

import Foundation

enum TinyModel {
  private static let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Golden")

  /// Makes the folder; remove it after use.
  static func make() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tiny-\(UUID().uuidString)")
    let files = FileManager.default
    for part in ["tokenizer", "scheduler"] {
      try files.createDirectory(at: folder.appending(path: part), withIntermediateDirectories: true)
    }
    for part in ["unet", "vae", "text_encoder"] {
      try files.copyItem(at: golden.appending(path: "models/sd2/\(part)"), to: folder.appending(path: part))
    }
    let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
    var vocabulary = ["<|startoftext|>": 398, "<|endoftext|>": 399]
    for (index, letter) in letters.enumerated() {
      vocabulary[letter] = index
      vocabulary[letter + "</w>"] = 26 + index
    }
    try JSONEncoder().encode(vocabulary).write(to: folder.appending(path: "tokenizer/vocab.json"))
    for (path, text) in [
      ("tokenizer/merges.txt", "#version: 0.2\n"), ("tokenizer/tokenizer_config.json", #"{"model_max_length": 12}"#),
      ("model_index.json", #"{"_class_name": "StableDiffusionPipeline"}"#),
      (
        "scheduler/scheduler_config.json",
        #"""
        {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
         "num_train_timesteps": 1000, "prediction_type": "v_prediction", "steps_offset": 1, "clip_sample": false,
         "set_alpha_to_one": false, "timestep_spacing": "trailing"}
        """#
      ),
    ] { try Data(text.utf8).write(to: folder.appending(path: path)) }
    return folder
  }
}
