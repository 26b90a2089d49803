// The calls of HDF5 that segments need. Datasets are chunked and carry Fletcher-32 checksums, but for the states, which
// are read and written past the library; metadata carries its own (the format of HDF5 1.10), so damage is found when it
// is read. The library is entered by one thread at a time.

internal import CHDF5
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps the library to one thread at a time, however it was built.
enum HDF5 {
  private static let entry = Mutex(())

  static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    try entry.withLock { _ in
      sw_hdf5_enter()
      return try body()
    }
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
extension UInt32: HDF5Element { static var type: hid_t { sw_hdf5_uint32() } }
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
    let access = try Self.access(path)
    defer { H5Pclose(access) }
    try Self.check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), path, "choose the format")
    file = try Self.check(H5Fcreate(path, Self.truncate, 0, access), path, "create the file")
    self.path = path
    byteCount = 0
  }

  /// Opens a file for reading.
  init(opening path: String) throws {
    let size = try OpenFile(path, O_RDONLY).byteCount()
    let access = try Self.access(path)
    defer { H5Pclose(access) }
    file = try Self.check(H5Fopen(path, Self.readOnly, access), path, "open the file")
    self.path = path
    byteCount = size
  }

  deinit { H5Fclose(file) }

  /// How files are opened, to be closed: without HDF5's own locks, which some cluster file systems do not have, and
  /// which a process that was started meanwhile would hold on to. The replay's `lock` keeps writers apart.
  private static func access(_ path: String) throws -> hid_t {
    let access = try check(H5Pcreate(sw_hdf5_file_access()), path, "prepare a file")
    try check(H5Pset_file_locking(access, false, true), path, "leave locks out")
    return access
  }

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

  /// Makes a dataset of fixed size, in chunks with checksums, whose identifier the caller closes.
  ///
  /// - Parameter chunk: rows a chunk.
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

  /// Makes a dataset of floats in one piece and leaves its values to be written into the file, at `place`.
  func reserve(_ name: String, _ shape: [Int]) throws {
    let dataset = try create(name, Float.type, shape) { layout in
      try Self.check(H5Pset_layout(layout, H5D_CONTIGUOUS), path, "lay out \(name)")
      try Self.check(H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY), path, "reserve \(name)")
      try Self.check(H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER), path, "reserve \(name)")
    }
    H5Dclose(dataset)
  }

  /// Where the floats of a dataset in one piece begin in the file, and its extents; all of it lies within the file.
  func place(_ name: String) throws -> (offset: Int, shape: [Int]) {
    let dataset = try open(name)
    defer { H5Dclose(dataset) }
    let type = try Self.check(H5Dget_type(dataset), path, "read \(name)")
    defer { H5Tclose(type) }
    let shape = try shape(dataset, name)
    // At most the file's.
    let size = try checkedCount(shape, MemoryLayout<Float>.size, name) * MemoryLayout<Float>.size
    let offset = H5Dget_offset(dataset)
    guard H5Tequal(type, Float.type) > 0, offset <= UInt64(byteCount - size) else {
      throw ReplayError(
        .damaged, path: path, "expected \(size) bytes of little-endian float32 in one piece in \(name), found others")
    }
    return (Int(offset), shape)
  }

  /// Writes a dataset at once.
  func write<Element: HDF5Element>(_ name: String, _ values: [Element], shape: [Int]? = nil) throws {
    let dataset = try create(name, Element.type, shape ?? [values.count], chunk: 1 << 14)
    defer { H5Dclose(dataset) }
    if values.isEmpty { return }
    try values.withUnsafeBytes {
      _ = try Self.check(H5Dwrite(dataset, Element.type, 0, 0, 0, $0.baseAddress), path, "write \(name)")
    }
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

  /// The number of elements, refused before memory is reserved when a file of this size cannot hold it.
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

  /// Writes out what the library holds. The file is on disk only after fsync.
  func flush() throws { try Self.check(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "flush") }
}
