// Prompts come from a list in the configuration, from a file, or from both.

internal import Basics
internal import Foundation

extension Configuration {
  /// The prompts to train on, in order, without repetitions.
  ///
  /// - Throws: `ConfigurationError` when the file cannot be read or there is no prompt at all.
  package func trainingPrompts() throws -> [String] {
    try Self.prompts(sampling.prompts, sampling.promptsFile, key: "sampling")
  }

  /// The prompts to measure on, in order, without repetitions.
  ///
  /// - Throws: `ConfigurationError` when the file cannot be read or there is no prompt at all.
  package func evaluationPrompts() throws -> [String] {
    try Self.prompts(evaluation.prompts, evaluation.promptsFile, key: "evaluation")
  }

  private static func prompts(_ listed: [String], _ file: String, key: String) throws -> [String] {
    let all = (listed + (file.isEmpty ? [] : try prompts(inFile: file, key: "\(key).promptsFile"))).unique()
    guard !all.isEmpty else {
      throw ConfigurationError(
        "\(key).prompts: expected at least one prompt there or in \(key).promptsFile, found none. List some, or name "
          + "a file with one prompt per line.")
    }
    return all
  }

  /// The prompts of a file, one per line; empty lines and lines that start with # are left out.
  ///
  /// - Parameter key: the key or option that names the file, for the error.
  /// - Throws: `ConfigurationError` when the file cannot be read.
  package static func prompts(inFile file: String, key: String) throws -> [String] {
    do {
      return try String(contentsOf: URL(filePath: file), encoding: .utf8).split(whereSeparator: \.isNewline)
        .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    } catch {
      throw ConfigurationError("\(key): could not read the prompts in \(file): \(error.localizedDescription)")
    }
  }
}
