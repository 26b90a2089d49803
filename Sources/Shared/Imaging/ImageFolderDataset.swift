// Pictures of the user: a folder with metadata.jsonl, which has one {"file_name": ..., "text": ...} per line (the
// imagefolder convention of Hugging Face). Lines and files are checked when the folder is opened; pixels are read on
// demand.

package import Foundation

/// A folder of PNG and JPEG pictures with captions, in the order of metadata.jsonl.
package struct ImageFolderDataset: CaptionedPictures {
  private struct Line: Decodable {
    // The name in the convention.
    let file_name: String
    let text: String
  }

  private let folder: URL
  private let lines: [Line]

  /// Reads metadata.jsonl and checks that all files exist. An error names the line of the first problem.
  package init(folder: URL) throws {
    let metadata = folder.appendingPathComponent("metadata.jsonl")
    let text: String
    do {
      text = try String(contentsOf: metadata, encoding: .utf8)
    } catch {
      throw ImagingError(
        metadata.path,
        "could not read a text file with one {\"file_name\": \"a.png\", \"text\": \"a caption\"} per line: "
          + error.localizedDescription)
    }
    var lines: [Line] = []
    for (number, content) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if content.allSatisfy(\.isWhitespace) { continue }
      let place = "\(metadata.path):\(number + 1)"
      let line: Line
      do {
        line = try JSONDecoder().decode(Line.self, from: Data(content.utf8))
      } catch {
        throw ImagingError(place, "expected a JSON object with the strings file_name and text, found \(content)")
      }
      let file = folder.appendingPathComponent(line.file_name)
      guard FileManager.default.isReadableFile(atPath: file.path) else {
        throw ImagingError(place, "could not read the picture \(file.path); add the file or remove the line")
      }
      lines.append(line)
    }
    guard !lines.isEmpty else { throw ImagingError(metadata.path, "the file has no pictures; add at least one line") }
    self.folder = folder
    self.lines = lines
  }

  package var count: Int { lines.count }
  package func caption(_ index: Int) -> String { lines[index].text }
  package func picture(_ index: Int) throws -> Image {
    try Image(contentsOf: folder.appendingPathComponent(lines[index].file_name))
  }
}
