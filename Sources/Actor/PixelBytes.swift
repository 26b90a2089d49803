// Conversion of decoded pictures to 8-bit pixels for scoring, with the rounding of diffusers.

internal import Engine
internal import Messages

extension ImageBatch {
  /// Converts pictures `[B, 3, H, W]` in -1...1 to 8-bit RGB. Values outside of the range are clamped.
  init(_ pictures: Tensor) {
    let shape = pictures.shape
    let bytes = ((pictures / 2 + 0.5).clamped(0, 1) * 255).permuted([0, 2, 3, 1]).values
    self.init(
      count: shape[0], height: shape[2], width: shape[3], pixels: bytes.map { UInt8($0.rounded(.toNearestOrEven)) })
  }
}
