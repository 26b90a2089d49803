// Anyone's pictures: a folder with metadata.jsonl, one {"file_name": ..., "text": ...} a line, as the imagefolder
// convention has it. Lines and files are checked when the folder is opened; pixels are read on demand.

package import Foundation

/// A folder of PNG and JPEG pictures with captions, in the order of metadata.jsonl.
package struct ImageFolderDataset: CaptionedPictures {
  private struct Line: Decodable {
    // The convention's own spelling.
    let file_name: String
    let text: String
  }

  private let folder: URL
  private let lines: [Line]

  /// Reads metadata.jsonl and looks that every file is there.
  ///
  /// - Throws: `ImagingError` with the path and line of what is missing or wrong.
  package init(folder: URL) throws {
    let metadata = folder.appendingPathComponent("metadata.jsonl")
    let text: String
    do {
      text = try String(contentsOf: metadata, encoding: .utf8)
    } catch {
      throw ImagingError(
        metadata.path,
        "expected a readable text file with one {\"file_name\": \"a.png\", \"text\": \"a caption\"} a line: "
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
        throw ImagingError(place, "expected a readable picture \(file.path), found none")
      }
      lines.append(line)
    }
    guard !lines.isEmpty else { throw ImagingError(metadata.path, "expected at least one line, found none") }
    self.folder = folder
    self.lines = lines
  }

  package var count: Int { lines.count }
  package func caption(_ index: Int) -> String { lines[index].text }
  /// - Throws: `ImagingError` with the path when the file is no PNG or JPEG.
  package func picture(_ index: Int) throws -> Image {
    try Image(contentsOf: folder.appendingPathComponent(lines[index].file_name))
  }
}
