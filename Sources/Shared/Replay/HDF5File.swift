// The calls of HDF5 that segments need. Every dataset is chunked and carries Fletcher-32 checksums, metadata carries
// its own (the format of HDF5 1.10; before it, chunk indexes had none), so damage is found when it is read. The library
// is entered by one thread at a time.

internal import CHDF5
internal import Foundation

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps the library to one thread at a time, however it was built.
enum HDF5 {
  private static let entry = FairLock()

  static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    entry.lock()
    defer { entry.unlock() }
    sw_hdf5_enter()
    return try body()
  }

  /// Lets others in who wait. Called between the rows of a segment, which takes seconds to write.
  static func pause() {
    guard entry.depth == 1 else { return }
    entry.unlock()
    entry.lock()
  }
}

/// An element type in a file, the same in memory on little-endian machines.
protocol HDF5Element: BitwiseCopyable {
  static var type: hid_t { get }
  static var zero: Self { get }
}
extension Float: HDF5Element { static var type: hid_t { sw_hdf5_float32() } }
extension Int32: HDF5Element { static var type: hid_t { sw_hdf5_int32() } }
extension Int64: HDF5Element { static var type: hid_t { sw_hdf5_int64() } }
extension UInt64: HDF5Element { static var type: hid_t { sw_hdf5_uint64() } }
extension UInt8: HDF5Element { static var type: hid_t { sw_hdf5_uint8() } }

/// An HDF5 file being written or read; closed when it goes. Use it within `HDF5.exclusively`.
///
/// Identifiers of other objects never leave a function without a `defer` that closes them.
struct HDF5File: ~Copyable {
  let path: String
  let file: hid_t
  /// Size when it was opened; 0 for a new one.
  private let byteCount: Int

  /// Makes a new file; one of this name is replaced.
  init(creating path: String) throws {
    let access = try Self.check(H5Pcreate(sw_hdf5_file_access()), path, "prepare a file")
    defer { H5Pclose(access) }
    try Self.check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), path, "choose the format")
    file = try Self.check(H5Fcreate(path, Self.truncate, 0, access), path, "create the file")
    self.path = path
    byteCount = 0
  }

  /// Opens a file for reading.
  init(opening path: String) throws {
    let size = try OpenFile(path, O_RDONLY).byteCount()
    file = try Self.check(H5Fopen(path, Self.readOnly, 0), path, "open the file")
    self.path = path
    byteCount = size
  }

  deinit { H5Fclose(file) }

  /// H5F_ACC_TRUNC and H5F_ACC_RDONLY, whose macros Swift cannot see.
  private static let truncate: UInt32 = 2
  private static let readOnly: UInt32 = 0

  @discardableResult
  static func check<Code: SignedInteger>(_ code: Code, _ path: String, _ action: String) throws -> Code {
    if code >= 0 { return code }
    var buffer = [CChar](repeating: 0, count: 256)
    sw_hdf5_error(&buffer)
    let cause = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw ReplayError(.damaged, path: path, "HDF5 could not \(action)" + (cause.isEmpty ? "" : ": \(cause)"))
  }

  func createGroup(_ name: String) throws {
    H5Gclose(try Self.check(H5Gcreate2(file, name, 0, 0, 0), path, "create group \(name)"))
  }

  // MARK: Datasets

  /// Makes a dataset of fixed size, whose identifier the caller closes.
  ///
  /// - Parameters:
  ///   - chunk: rows a chunk.
  ///   - level: of deflate after byte shuffling; 0: stored as they are.
  func create(_ name: String, _ type: hid_t, _ shape: [Int], chunk: Int, level: Int) throws -> hid_t {
    let extents = shape.map { hsize_t($0) }
    let space = try Self.check(H5Screate_simple(Int32(shape.count), extents, nil), path, name)
    defer { H5Sclose(space) }
    let layout = try Self.check(H5Pcreate(sw_hdf5_dataset_creation()), path, name)
    defer { H5Pclose(layout) }
    if !shape.contains(0) {
      var chunks = extents
      chunks[0] = hsize_t(min(max(chunk, 1), shape[0]))
      try Self.check(H5Pset_chunk(layout, Int32(shape.count), chunks), path, "chunk \(name)")
      if level > 0 {
        try Self.check(H5Pset_shuffle(layout), path, "shuffle \(name)")
        try Self.check(H5Pset_deflate(layout, UInt32(level)), path, "compress \(name)")
      }
      try Self.check(H5Pset_fletcher32(layout), path, "checksum \(name)")
    }
    return try Self.check(H5Dcreate2(file, name, type, space, 0, layout, 0), path, "create \(name)")
  }

  /// Writes a dataset at once.
  func write<Element: HDF5Element>(_ name: String, _ values: [Element], shape: [Int]? = nil) throws {
    let dataset = try create(name, Element.type, shape ?? [values.count], chunk: 1 << 14, level: 0)
    defer { H5Dclose(dataset) }
    if values.isEmpty { return }
    try values.withUnsafeBytes {
      _ = try Self.check(H5Dwrite(dataset, Element.type, 0, 0, 0, $0.baseAddress), path, "write \(name)")
    }
  }

  /// Writes a dataset row by row, one row a chunk, so that memory holds one row.
  func write(
    _ name: String, rows: Int, rowShape: [Int], level: Int,
    _ row: (Int, (UnsafePointer<Float>) throws -> Void) throws -> Void
  ) throws {
    let dataset = try create(name, Float.type, [rows] + rowShape, chunk: 1, level: level)
    defer { H5Dclose(dataset) }
    for index in 0..<rows {
      HDF5.pause()
      try withRows(dataset, name, index..<index + 1, rowShape) { memory, space in
        try row(index) { pointer in
          try Self.check(H5Dwrite(dataset, Float.type, memory, space, 0, pointer), path, "write \(name)")
        }
      }
    }
  }

  private func withRows(
    _ dataset: hid_t, _ name: String, _ rows: Range<Int>, _ rowShape: [Int], _ body: (hid_t, hid_t) throws -> Void
  ) throws {
    let space = try Self.check(H5Dget_space(dataset), path, "read \(name)")
    defer { H5Sclose(space) }
    let start = [hsize_t(rows.lowerBound)] + rowShape.map { _ in 0 }
    let count = [hsize_t(rows.count)] + rowShape.map { hsize_t($0) }
    try Self.check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nil, count, nil), path, "select in \(name)")
    let memory = try Self.check(H5Screate_simple(Int32(count.count), count, nil), path, name)
    defer { H5Sclose(memory) }
    try body(memory, space)
  }

  /// Extents of a dataset.
  func shape(_ name: String) throws -> [Int] {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    return try shape(dataset, name)
  }

  /// A dataset's identifier, which the caller closes.
  func open(_ name: String) throws -> hid_t {
    try Self.check(H5Dopen2(file, name, 0), path, "open \(name)")
  }

  func shape(_ dataset: hid_t, _ name: String) throws -> [Int] {
    let space = try Self.check(H5Dget_space(dataset), path, "read \(name)")
    defer { H5Sclose(space) }
    let rank = try Self.check(H5Sget_simple_extent_ndims(space), path, "read \(name)")
    var extents = [hsize_t](repeating: 0, count: Int(rank))
    try Self.check(H5Sget_simple_extent_dims(space, &extents, nil), path, "read \(name)")
    return extents.map { Int(clamping: $0) }
  }

  /// Reads a whole dataset of one or more axes.
  func read<Element: HDF5Element>(_ name: String, as type: Element.Type = Element.self) throws -> [Element] {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    let shape = try shape(dataset, name)
    let count = try checkedCount(shape, MemoryLayout<Element>.size, name)
    var values = [Element](repeating: .zero, count: count)
    if count > 0 {
      try values.withUnsafeMutableBytes {
        _ = try Self.check(H5Dread(dataset, Element.type, 0, 0, 0, $0.baseAddress), path, "read \(name)")
      }
    }
    return values
  }

  /// Reads rows of a dataset.
  func read(_ name: String, rows: Range<Int>) throws -> (values: [Float], rowShape: [Int]) {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    let shape = try shape(dataset, name)
    guard let extent = shape.first, rows.lowerBound >= 0, rows.upperBound <= extent else {
      throw ReplayError(.damaged, path: path, "expected rows \(rows) in \(name), found shape \(shape)")
    }
    let rowShape = Array(shape.dropFirst())
    var values = [Float](repeating: 0, count: try checkedCount([rows.count] + rowShape, MemoryLayout<Float>.size, name))
    try withRows(dataset, name, rows, rowShape) { memory, space in
      try Self.check(H5Dread(dataset, Float.type, memory, space, 0, &values), path, "read \(name)")
    }
    return (values, rowShape)
  }

  /// The most that deflate can expand (RFC 1951: 258 bytes from two bits).
  private static let largestExpansion = 1032

  /// The number of elements, refused before memory is reserved when a file of this size cannot hold it.
  func checkedCount(_ shape: [Int], _ elementSize: Int, _ name: String) throws -> Int {
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= byteCount * Self.largestExpansion / max(1, elementSize) else {
        throw ReplayError(
          .damaged, path: path, "\(name) of shape \(shape) is more than a file of \(byteCount) bytes can hold")
      }
      count = product
    }
    return count
  }

  /// Writes out what the library holds. The file is on disk only after fsync.
  func flush() throws { try Self.check(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "flush") }
}
