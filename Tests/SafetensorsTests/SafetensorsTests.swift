// Safetensors files: tensors are read back to the bit, and invalid files are refused with a message.

import Durable
import Engine
import Fixtures
import Foundation
import Layers
import Testing

@Suite struct SafetensorsTests {
  private func writer() -> SafetensorsWriter {
    var writer = SafetensorsWriter(metadata: ["format": "pt", "note": "a \"quoted\"\nline\u{1}"])
    writer.add("b.weight", Tensor([1, -2.5, 3e-8, 65504], shape: [2, 2]))
    writer.add("half", Tensor([0.1, -0.0, 6e-8, 70000, .infinity, 1 + 1 / 1024], shape: [6]), as: .float16)
    writer.add("numbers", integers: [-3, 1 << 40], shape: [2])
    writer.add("empty", Tensor.zeros([0, 3]))
    writer.add("scalar", Tensor(7))
    return writer
  }

  /// A file with the given header, its length before it, and `data` zero bytes after it.
  private func file(_ header: String, data: Int = 0) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  private func problem(_ bytes: [UInt8]) -> String {
    do {
      _ = try SafetensorsFile(bytes: bytes, name: "hostile")
      return "accepted"
    } catch { return String(describing: error) }
  }

  @Test func `tensors are read back to the bit, with shapes and metadata`() throws {
    let file = try SafetensorsFile(bytes: writer().encoded(), name: "memory")
    #expect(file.names == ["b.weight", "empty", "half", "numbers", "scalar"])
    #expect(file.metadata == ["format": "pt", "note": "a \"quoted\"\nline\u{1}"])
    #expect(try file.tensor("b.weight").values == [1, -2.5, 3e-8, 65504])
    #expect(try file.tensor("b.weight").shape == [2, 2])
    #expect(try file.tensor("empty").shape == [0, 3])
    #expect(try file.tensor("scalar").shape == [])
    #expect(try file.integers("numbers") == [-3, 1 << 40])
    let half = try file.tensor("half").values
    let rounded: [Float] = [Float(Float16(0.1)), 0, Float(Float16(6e-8)), .infinity, .infinity, 1.0009765625]
    #expect(half == rounded)
    #expect(half[1].sign == .minus)
  }

  @Test func `the bytes do not depend on the order of adding, and a file has the bytes of memory`() throws {
    var one = SafetensorsWriter(), other = SafetensorsWriter()
    one.add("x", Tensor(1))
    one.add("a", Tensor(2), as: .float16)
    other.add("a", Tensor(2), as: .float16)
    other.add("x", Tensor(1))
    #expect(one.encoded() == other.encoded())
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "w.safetensors")
      try one.write(to: url)
      #expect(try Array(Data(contentsOf: url)) == one.encoded())
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["w.safetensors"])
      #expect(throws: SystemError.self) { try one.write(to: folder.appending(path: "absent/w.safetensors")) }
    }
  }

  @Test func `all float16 and bfloat16 values are converted exactly`() throws {
    let patterns = (0...UInt16.max).map { $0 }
    for (type, expected) in [
      ("F16", patterns.map { Float(Float16(bitPattern: $0)) }),
      ("BF16", patterns.map { Float(bitPattern: UInt32($0) << 16) }),
    ] {
      let header = #"{"x":{"dtype":"\#(type)","shape":[65536],"data_offsets":[0,131072]}}"#
      var bytes = file(header)
      patterns.forEach { bytes += [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
      let found = try SafetensorsFile(bytes: bytes, name: type).tensor("x").values
      let differing = zip(found, expected).filter { $0 != $1 && !($0.isNaN && $1.isNaN) }
      #expect(differing.isEmpty, "\(type): \(differing.count) values differ")
    }
  }

  @Test func `a file that is truncated at any byte is refused`() {
    let bytes = writer().encoded()
    for count in 0..<bytes.count {
      #expect(problem(Array(bytes[..<count])) != "accepted", "cut at \(count) of \(bytes.count)")
    }
  }

  @Test func `an inconsistent header is refused with the name of the tensor`() {
    let lies: [(String, String)] = [
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "expected 8 bytes, found 4"),
      (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "invalid shape"),
      (#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, "invalid shape"),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "tensor t has the offsets"),
      (#"{"t":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, "dtype F31"),
      (#"{"t":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}"#, "expected to begin at byte 0"),
      (#"{"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, "the last tensor ends at byte"),
      (#"{"t":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, "not valid JSON"),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "has the offsets"),
      (#"[1]"#, "not valid JSON"),
    ]
    for (header, expected) in lies {
      let found = problem(file(header, data: 4))
      #expect(found.hasPrefix("hostile: ") && found.contains(expected), "\(header): \(found)")
    }
    let long = withUnsafeBytes(of: UInt64.max) { Array($0) } + [0, 0]
    #expect(problem(long).contains("claims"))
  }

  @Test func `a tensor of a wrong name or type is an error`() throws {
    let file = try SafetensorsFile(bytes: writer().encoded(), name: "memory")
    #expect(throws: SafetensorsError.self) { try file.tensor("absent") }
    #expect(throws: SafetensorsError.self) { try file.tensor("numbers") }
    #expect(throws: SafetensorsError.self) { try file.integers("half") }
    #expect(file.shape(of: "absent") == nil)
  }

  @Test func `a sharded checkpoint is read like one file, and an inconsistent index is refused`() throws {
    try withTemporaryFolder { folder in
      for (number, name) in ["a", "b"].enumerated() {
        var writer = SafetensorsWriter()
        writer.add(name, Tensor(Float(number)))
        try writer.write(to: folder.appending(path: "m-\(number).safetensors"))
      }
      let index = folder.appending(path: "m.safetensors.index.json")
      try Data(#"{"weight_map":{"a":"m-0.safetensors","b":"m-1.safetensors"}}"#.utf8).write(to: index)
      let file = try SafetensorsFile(folder: folder, named: "m")
      #expect(file.names == ["a", "b"])
      #expect(try file.tensor("b").item == 1)
      for lie in [
        #"{"weight_map":{"a":"m-1.safetensors","b":"m-0.safetensors"}}"#, #"{"weight_map":{"a":"../m-0.safetensors"}}"#,
        #"{"weight_map":{"a":"m-2.safetensors"}}"#, "{}",
      ] {
        try Data(lie.utf8).write(to: index)
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(index) }
      }
      #expect(throws: SafetensorsError.self) { try SafetensorsFile(folder: folder, named: "other") }
    }
  }
}
