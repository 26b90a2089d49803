// Writes models in the format of diffusers and transformers: a config.json and a safetensors file. Files are written
// completely or not at all.

package import Engine
package import Foundation
internal import Layers
package import Models

package enum ModelFolder {
  /// Writes `config.json`, and the weights as float16 to `file`, under the keys of the checkpoint.
  package static func write(
    _ parameters: [Parameter], configuration: [String: JSONValue], file: String, to folder: URL
  ) throws {
    var writer = SafetensorsWriter()
    for parameter in parameters { writer.add(parameter.name, parameter.stored, as: .float16) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try writer.write(to: folder.appending(path: file))
    try write(configuration, to: folder.appending(path: "config.json"))
  }

  /// Writes a JSON object with sorted keys.
  package static func write(_ values: [String: JSONValue], to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try encoder.encode(values).write(to: file, options: .atomic)
  }
}
