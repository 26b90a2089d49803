// Conversion of tensors to and from bytes with a data type and a shape. Both ends are little-endian, like every machine
// that Swift and OpenBLAS run on.

internal import CMessages
internal import Engine

typealias CTensor = Stepwise__Tensor

extension Arena {
  private func tensor(
    _ dataType: Stepwise__DataType, _ shape: [Int], _ values: ProtobufCBinaryData
  ) -> UnsafeMutablePointer<CTensor> {
    let tensor = make(stepwise__tensor__init)
    tensor.pointee.data_type = dataType
    tensor.pointee.n_shape = shape.count
    tensor.pointee.shape = array(shape.map { UInt32($0) })
    tensor.pointee.values = values
    return tensor
  }

  func tensor(_ tensor: Tensor) -> UnsafeMutablePointer<CTensor> {
    self.tensor(STEPWISE__DATA_TYPE__FLOAT32, tensor.shape, bytes(tensor))
  }

  func tensor(_ images: ImageBatch) -> UnsafeMutablePointer<CTensor> {
    tensor(STEPWISE__DATA_TYPE__UINT8, [images.count, images.height, images.width, 3], bytes(images))
  }
}

extension FieldPath {
  /// A float32 tensor of the given rank, with positive extents and finite elements. A large tensor adopts the memory
  /// into which protobuf-c unpacked its elements.
  func tensor(
    _ pointer: UnsafeMutablePointer<CTensor>?, _ name: String, rank: Int, mayBeNotFinite: Bool = false
  ) throws -> Tensor {
    let (shape, bytes) = try content(pointer, name, STEPWISE__DATA_TYPE__FLOAT32, "float32", elementSize: 4, rank)
    var memory = UnsafeMutableRawPointer(mutating: bytes.baseAddress!)
    if bytes.count >= Budget.smallestAdoptable {
      pointer?.pointee.values = ProtobufCBinaryData()
    } else {
      memory = TensorMemory.allocate(byteCount: bytes.count)
      memory.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    }
    let (tensor, isFinite) = Tensor.adopting(memory, shape: shape)
    if !mayBeNotFinite, !isFinite, let index = tensor.withUnsafeBuffer(\.firstNonFinite) {
      throw failure(name, "expected finite elements, found \(tensor.values[index]) at index \(index) of shape \(shape)")
    }
    return tensor
  }

  /// A batch of 8-bit RGB images, `[B, H, W, 3]`.
  func images(_ pointer: UnsafeMutablePointer<CTensor>?, _ name: String) throws -> ImageBatch {
    let (shape, bytes) = try content(pointer, name, STEPWISE__DATA_TYPE__UINT8, "uint8", elementSize: 1, 4)
    try require(shape[3] == 3, name, "expected 3 channels in the last axis, found shape \(shape)")
    return ImageBatch(count: shape[0], height: shape[1], width: shape[2], pixels: Array(bytes))
  }

  /// Float pixels of RGB images, or their gradient, `[B, H, W, 3]`.
  func pixels(
    _ pointer: UnsafeMutablePointer<CTensor>?, _ name: String, mayBeNotFinite: Bool = false
  ) throws -> Tensor {
    let tensor = try tensor(pointer, name, rank: 4, mayBeNotFinite: mayBeNotFinite)
    try require(tensor.shape[3] == 3, name, "expected 3 channels in the last axis, found shape \(tensor.shape)")
    return tensor
  }

  private func content(
    _ pointer: UnsafeMutablePointer<CTensor>?, _ name: String, _ dataType: Stepwise__DataType, _ typeName: String,
    elementSize: Int, _ rank: Int
  ) throws -> (shape: [Int], bytes: UnsafeRawBufferPointer) {
    guard let tensor = pointer?.pointee else { throw failure(name, "expected a tensor, found none") }
    try require(
      tensor.data_type == dataType, name,
      "expected data type \(typeName) (\(dataType.rawValue)), found \(tensor.data_type.rawValue)")
    try require(tensor.n_shape == rank, name, "expected \(rank) axes, found \(tensor.n_shape)")
    let shape = numbers(tensor.shape, tensor.n_shape)
    var size = elementSize
    for extent in shape {
      try require(extent > 0, name, "expected positive extents, found shape \(shape)")
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      try require(!overflow, name, "the size of shape \(shape) exceeds the address space")
      size = product
    }
    try require(
      tensor.values.len == size, name,
      "expected \(size) bytes for \(typeName) of shape \(shape), found \(tensor.values.len)")
    return (shape, UnsafeRawBufferPointer(start: tensor.values.data, count: size))
  }
}
