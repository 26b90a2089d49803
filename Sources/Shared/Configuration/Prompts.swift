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
    let all = (listed + (file.isEmpty ? [] : try readPrompts(file, key: key))).unique()
    guard !all.isEmpty else {
      throw ConfigurationError(
        "\(key).prompts: expected at least one prompt there or in \(key).promptsFile, found none. List some, or name "
          + "a file with one a line.")
    }
    return all
  }

  private static func readPrompts(_ file: String, key: String) throws -> [String] {
    do {
      return try String(contentsOf: URL(filePath: file), encoding: .utf8).split(whereSeparator: \.isNewline)
        .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    } catch {
      throw ConfigurationError(
        "\(key).promptsFile: expected a text file with one prompt a line, found that \(file) cannot be read: "
          + "\(error.localizedDescription)")
    }
  }
}
