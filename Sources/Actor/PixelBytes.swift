// Decoded pictures as the bytes that scorers see, rounded as diffusers does.

internal import Engine
internal import Messages

extension ImageBatch {
  /// Pictures `[B, 3, H, W]` in -1...1 (values beyond are cut) as 8-bit RGB.
  init(_ pictures: Tensor) {
    let shape = pictures.shape
    let bytes = ((pictures / 2 + 0.5).clamped(0, 1) * 255).permuted([0, 2, 3, 1]).values
    self.init(
      count: shape[0], height: shape[2], width: shape[3], pixels: bytes.map { UInt8($0.rounded(.toNearestOrEven)) })
  }
}
