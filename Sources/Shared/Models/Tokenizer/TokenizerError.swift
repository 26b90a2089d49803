// The error of tokenizers and their files.

/// A tokenizer could not be read, or a prompt is too long; the description names the file or the prompt.
package struct TokenizerError: Error, CustomStringConvertible {
  package let description: String

  init(_ place: String, _ problem: String) { description = "\(place): \(problem)" }
}
