// PNG and JPEG files: pixels are read back, JPEG sizes equal those of Pillow, and damaged files are refused.

import Engine
import Fixtures
import Foundation
import Imaging
import Testing

/// A computed picture, the same as in the script that produced the expected values with Pillow.
func pattern(width: Int, height: Int) -> Image {
  var pixels: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      for c in 0..<3 { pixels.append(UInt8((x * x * 7 + y * 13 * (c + 1) + x * y * 3 + c * 50) % 256)) }
    }
  }
  return Image(width: width, height: height, pixels: pixels)
}

@Suite struct ImageFileTests {
  @Test func `a PNG file keeps every pixel`() throws {
    let picture = pattern(width: 37, height: 11)
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("a.png")
      try picture.writePNG(to: file)
      #expect(try Image(contentsOf: file) == picture)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.png"])
    }
  }

  @Test func `a JPEG file of quality 95 has the same number of bytes as that of Pillow`() throws {
    let picture = pattern(width: 40, height: 24)
    let bytes = try picture.jpegBytes()
    #expect(bytes.count == 1843)  // from Pillow 13 with libjpeg-turbo 3.2; the encoder has not changed since 1.2
    #expect(try picture.jpegBytes() == bytes)
    let back = try Image(encoded: bytes, name: "memory")
    #expect(back.width == 40 && back.height == 24)
    #expect(try picture.jpegBytes(quality: 20).count < bytes.count)
  }

  @Test func `bytes that are not a picture are refused with the name of the file`() throws {
    let error = #expect(throws: ImagingError.self) { try Image(encoded: [1, 2, 3], name: "notes.txt") }
    #expect(error?.description == "notes.txt: the 3 bytes are neither a PNG nor a JPEG picture")
    let missing = #expect(throws: ImagingError.self) {
      try Image(contentsOf: URL(fileURLWithPath: "/nowhere/a.png"))
    }
    #expect(missing?.description.contains("/nowhere/a.png") == true)
  }

  @Test(arguments: [4, 10, 40, 100, 600]) func `a truncated picture is refused`(count: Int) throws {
    let picture = pattern(width: 40, height: 24)
    for bytes in [try picture.pngBytes(), try picture.jpegBytes()] {
      #expect(throws: ImagingError.self) { try Image(encoded: Array(bytes.prefix(count)), name: "cut") }
    }
  }

  @Test func `a picture converted to a tensor and back is the same in both ranges`() {
    let picture = pattern(width: 5, height: 4)
    for range in [Image.ValueRange.signed, .unit] {
      let tensor = picture.tensor(range: range)
      #expect(tensor.shape == [3, 4, 5])
      #expect(Image(tensor, range: range) == picture)
      #expect(Image.batch(tensor.reshaped([1, 3, 4, 5]), range: range) == [picture])
    }
  }

  @Test func `values outside of the range are clamped, and NaN becomes black`() {
    let picture = Image(Tensor([2, -3, .nan, 0, 0, 0.5], shape: [3, 1, 2]), range: .signed)
    #expect(picture.pixels == [255, 0, 128, 0, 128, 191])
  }
}
