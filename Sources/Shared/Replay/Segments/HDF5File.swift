// The calls of HDF5 that segments need. Datasets are chunked and carry Fletcher-32 checksums, except the states, which
// are read and written without the library. Metadata carries its own checksums (the format of HDF5 1.10), so damage is
// found when it is read. One thread at a time enters the library.

internal import CHDF5
internal import Durable
internal import Synchronization

/// Admits one thread at a time to the library, even if it was built without thread safety.
enum HDF5 {
  private static let entry = Mutex(())

  static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    try entry.withLock { _ in
      sw_hdf5_enter()
      return try body()
    }
  }
}

/// An element type in a file; on little-endian machines it is the same in memory.
protocol HDF5Element: BitwiseCopyable {
  static var type: hid_t { get }
  static var zero: Self { get }
}
extension Float: HDF5Element { static var type: hid_t { sw_hdf5_float32() } }
extension Int32: HDF5Element { static var type: hid_t { sw_hdf5_int32() } }
extension Int64: HDF5Element { static var type: hid_t { sw_hdf5_int64() } }
extension UInt32: HDF5Element { static var type: hid_t { sw_hdf5_uint32() } }
extension UInt64: HDF5Element { static var type: hid_t { sw_hdf5_uint64() } }
extension UInt8: HDF5Element { static var type: hid_t { sw_hdf5_uint8() } }

/// An HDF5 file that is written or read. It is closed when its owner ends. Use it within `HDF5.exclusively`.
///
/// The library returns identifiers (`hid_t`) of 0 or more, and negative numbers for errors; 0 as an argument means the
/// default (`H5P_DEFAULT`, `H5S_ALL`). Every identifier is closed in a `defer` next to the call that opened it.
struct HDF5File: ~Copyable {
  let path: String
  let file: hid_t
  /// Size of the file when it was opened; 0 for a new file.
  private let byteCount: Int

  /// Creates a file; an existing one is replaced.
  init(creating path: String) throws {
    let access = try Self.access(path)
    defer { H5Pclose(access) }
    try Self.check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), path, "choose the format")
    file = try Self.check(H5Fcreate(path, Self.truncate, 0, access), path, "create the file")
    self.path = path
    byteCount = 0
  }

  init(opening path: String) throws {
    let size = try OpenFile(path, .reading).byteCount()
    let access = try Self.access(path)
    defer { H5Pclose(access) }
    file = try Self.check(H5Fopen(path, Self.readOnly, access), path, "open the file")
    self.path = path
    byteCount = size
  }

  deinit { H5Fclose(file) }

  /// The access properties for opening a file, which the caller closes. HDF5's own locks are off: some cluster file
  /// systems have none, and a child process that starts in the meantime would keep them. The replay has its own lock.
  private static func access(_ path: String) throws -> hid_t {
    let access = try check(H5Pcreate(sw_hdf5_file_access()), path, "prepare a file")
    try check(H5Pset_file_locking(access, false, true), path, "turn off locks")
    return access
  }

  /// `H5F_ACC_TRUNC` (0x0002) and `H5F_ACC_RDONLY` (0x0000) of H5Fpublic.h. They are macros with a side effect
  /// (`H5CHECK`), which Swift does not import.
  private static let truncate: UInt32 = 2
  private static let readOnly: UInt32 = 0

  /// Passes on the result of a call of the library.
  ///
  /// - Throws: `ReplayError` of kind `.damaged` when it is negative. The library reports a full disk in the same way,
  ///   only in words; `SegmentWriter` finds out.
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

  /// Creates a dataset of fixed size in chunks with checksums. The caller closes the identifier.
  ///
  /// - Parameter chunk: rows per chunk.
  func create(_ name: String, _ type: hid_t, _ shape: [Int], chunk: Int) throws -> hid_t {
    try create(name, type, shape) { layout in
      if shape.contains(0) { return }
      var chunks = shape.map { hsize_t($0) }
      chunks[0] = hsize_t(min(max(chunk, 1), shape[0]))
      try Self.check(H5Pset_chunk(layout, Int32(shape.count), chunks), path, "chunk \(name)")
      try Self.check(H5Pset_fletcher32(layout), path, "checksum \(name)")
    }
  }

  private func create(_ name: String, _ type: hid_t, _ shape: [Int], _ prepare: (hid_t) throws -> Void) throws -> hid_t {
    let space = try Self.check(H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil), path, name)
    defer { H5Sclose(space) }
    let layout = try Self.check(H5Pcreate(sw_hdf5_dataset_creation()), path, name)
    defer { H5Pclose(layout) }
    try prepare(layout)
    return try Self.check(H5Dcreate2(file, name, type, space, 0, layout, 0), path, "create \(name)")
  }

  /// Creates a contiguous dataset of floats. Its values are written into the file later, at `position`.
  func reserve(_ name: String, _ shape: [Int]) throws {
    let dataset = try create(name, Float.type, shape) { layout in
      try Self.check(H5Pset_layout(layout, H5D_CONTIGUOUS), path, "lay out \(name)")
      try Self.check(H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY), path, "reserve \(name)")
      try Self.check(H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER), path, "reserve \(name)")
    }
    H5Dclose(dataset)
  }

  /// The byte offset of a contiguous dataset of floats, and its shape. The whole dataset lies within the file.
  func position(_ name: String) throws -> (offset: Int, shape: [Int]) {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    let type = try Self.check(H5Dget_type(dataset), path, "read \(name)")
    defer { H5Tclose(type) }
    let shape = try shape(dataset, name)
    // At most `byteCount`, as checkedCount makes sure.
    let size = try checkedCount(shape, MemoryLayout<Float>.size, name) * MemoryLayout<Float>.size
    let offset = H5Dget_offset(dataset)
    guard H5Tequal(type, Float.type) > 0, offset <= UInt64(byteCount - size) else {
      throw ReplayError(
        .damaged, path: path, "\(name): expected \(size) contiguous bytes of little-endian float32, found another layout")
    }
    return (Int(offset), shape)
  }

  func write<Element: HDF5Element>(_ name: String, _ values: [Element], shape: [Int]? = nil) throws {
    let dataset = try create(name, Element.type, shape ?? [values.count], chunk: 1 << 14)
    defer { H5Dclose(dataset) }
    if values.isEmpty { return }
    try values.withUnsafeBytes {
      _ = try Self.check(H5Dwrite(dataset, Element.type, 0, 0, 0, $0.baseAddress), path, "write \(name)")
    }
  }

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

  /// The number of elements of a shape. A number that the file is too small for is refused before memory is reserved.
  func checkedCount(_ shape: [Int], _ elementSize: Int, _ name: String) throws -> Int {
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= byteCount / max(1, elementSize) else {
        throw ReplayError(
          .damaged, path: path, "\(name) of shape \(shape) is more than a file of \(byteCount) bytes can hold")
      }
      count = product
    }
    return count
  }

  /// Hands everything that the library has buffered to the system. The file is on disk only after fsync.
  func flush() throws { try Self.check(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "flush") }
}
