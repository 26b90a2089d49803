// Text in HDF5: datasets of UTF-8 strings of a fixed number of bytes, and the attributes of the file.

internal import CHDF5

extension HDF5File {
  func write(_ name: String, _ texts: [String]) throws {
    let (bytes, size) = Self.padded(texts)
    let type = try Self.check(sw_hdf5_make_text_type(size), path, "prepare text")
    defer { H5Tclose(type) }
    let dataset = try create(name, type, [texts.count], chunk: 1 << 8)
    defer { H5Dclose(dataset) }
    if !texts.isEmpty { try Self.check(H5Dwrite(dataset, type, 0, 0, 0, bytes), path, "write \(name)") }
  }

  func readTexts(_ name: String) throws -> [String] {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    let type = try Self.check(H5Dget_type(dataset), path, "read \(name)")
    defer { H5Tclose(type) }
    let size = try textSize(type, name)
    let count = try checkedCount(shape(dataset, name), size, name)
    if count == 0 { return [] }
    var bytes = [UInt8](repeating: 0, count: count * size)
    try Self.check(H5Dread(dataset, type, 0, 0, 0, &bytes), path, "read \(name)")
    return (0..<count).map { Self.text(bytes[$0 * size..<($0 + 1) * size]) }
  }

  func writeAttribute(_ name: String, _ text: String) throws {
    let (bytes, size) = Self.padded([text])
    let type = try Self.check(sw_hdf5_make_text_type(size), path, "prepare text")
    defer { H5Tclose(type) }
    let space = try Self.check(H5Screate(H5S_SCALAR), path, name)
    defer { H5Sclose(space) }
    let attribute = try Self.check(H5Acreate2(file, name, type, space, 0, 0), path, "create attribute \(name)")
    defer { H5Aclose(attribute) }
    try Self.check(H5Awrite(attribute, type, bytes), path, "write attribute \(name)")
  }

  func writeAttribute(_ name: String, _ number: Int) throws {
    let space = try Self.check(H5Screate(H5S_SCALAR), path, name)
    defer { H5Sclose(space) }
    let attribute = try Self.check(H5Acreate2(file, name, Int64.type, space, 0, 0), path, "create attribute \(name)")
    defer { H5Aclose(attribute) }
    try Self.check(H5Awrite(attribute, Int64.type, [Int64(number)]), path, "write attribute \(name)")
  }

  func readAttribute(_ name: String) throws -> Int {
    let attribute = try openAttribute(name)
    defer { H5Aclose(attribute) }
    var value: [Int64] = [0]
    try Self.check(H5Aread(attribute, Int64.type, &value), path, "read attribute \(name)")
    return Int(value[0])
  }

  func readTextAttribute(_ name: String) throws -> String {
    let attribute = try openAttribute(name)
    defer { H5Aclose(attribute) }
    let type = try Self.check(H5Aget_type(attribute), path, "read attribute \(name)")
    defer { H5Tclose(type) }
    var bytes = [UInt8](repeating: 0, count: try checkedCount([textSize(type, name)], 1, name))
    try Self.check(H5Aread(attribute, type, &bytes), path, "read attribute \(name)")
    return Self.text(bytes[...])
  }

  /// Opens an attribute, which must hold one value. The caller closes the identifier.
  private func openAttribute(_ name: String) throws -> hid_t {
    let attribute = try Self.check(H5Aopen(file, name, 0), path, "open attribute \(name)")
    let space = H5Aget_space(attribute)
    defer { if space >= 0 { H5Sclose(space) } }
    let count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space)
    guard count == 1 else {
      H5Aclose(attribute)
      throw ReplayError(.damaged, path: path, "attribute \(name): expected one value, found \(count)")
    }
    return attribute
  }

  /// The number of bytes of a string type, which must have a fixed length.
  private func textSize(_ type: hid_t, _ name: String) throws -> Int {
    let size = H5Tget_size(type)
    guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0, size > 0, size <= 1 << 28 else {
      throw ReplayError(.damaged, path: path, "\(name): expected strings of a fixed length, found another type")
    }
    return size
  }

  private static func padded(_ texts: [String]) -> (bytes: [UInt8], size: Int) {
    let size = max(1, texts.map(\.utf8.count).max() ?? 0)
    return (texts.flatMap { Array($0.utf8) + [UInt8](repeating: 0, count: size - $0.utf8.count) }, size)
  }

  private static func text(_ padded: ArraySlice<UInt8>) -> String {
    String(decoding: padded.prefix { $0 != 0 }, as: UTF8.self)
  }
}
