// The inputs of networks: token ids, and pictures for CLIP.

import Engine
import Foundation
import Imaging
import Layers
import Models

func clipTokenizer(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let tokenizer = try Tokenizer(
    folder: golden.file("vocabulary"), maximumLength: golden.values.integer("max_length"))
  let found = try golden.values.strings("texts").map { try tokenizer.encode($0, truncating: true) }
  let shape = try golden.shape(of: "out.input_ids")
  agreement.require(shape == [found.count, tokenizer.maximumLength], "the number of ids differs")
  try agreement.compare("out.input_ids", found.flatMap { $0 })
}

func clipPreprocess(_ golden: GoldenCase, _ agreement: inout Agreement) throws {
  let bytes = try golden.integers("image_u8_hwc").map { UInt8($0) }
  let size = try golden.shape(of: "in.image_u8_hwc")
  let picture = Image(width: size[1], height: size[0], pixels: bytes)
  let found = CLIPPreprocessing(size: try golden.values.integer("size"))([picture])
  let expected = try golden.tensors.tensor("out.pixel_values")
  // One grey level is tolerated; after normalization it is largest for the channel with the smallest deviation.
  let level = Double(1 / 255 / CLIPPreprocessing.deviation.min()!)
  let largest = Double(expected.values.map { abs($0) }.max() ?? 1)
  try agreement.compare(
    "out.pixel_values", found.reshaped(expected.shape), within: level / largest + Agreement.arithmetic)
}
