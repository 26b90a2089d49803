// The inputs of networks: token ids, and pictures for CLIP.

import Engine
import Foundation
import Imaging
import Layers
import Models

@Sendable func clipTokenizer(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let tokenizer = try Tokenizer(
    folder: golden.file("vocabulary"), maximumLength: golden.values.integer("max_length"))
  let found = try golden.values.strings("texts").map { try tokenizer.encode($0, truncating: true) }
  var agreement = Agreement()
  agreement.require(
    try shape(of: "out.input_ids", in: tensors) == [found.count, tokenizer.maximumLength], "the number of ids differs")
  agreement.compare("input_ids", found.flatMap { $0 }, try tensors.integers("out.input_ids"))
  return agreement
}

@Sendable func clipPreprocess(_ golden: GoldenCase) throws -> Agreement {
  let tensors = try golden.tensors()
  let bytes = try tensors.integers("in.image_u8_hwc").map { UInt8($0) }
  let size = try shape(of: "in.image_u8_hwc", in: tensors)
  let picture = Image(width: size[1], height: size[0], pixels: bytes)
  let found = CLIPPreprocessing(size: try golden.values.integer("size"))([picture])
  let expected = try tensors.tensor("out.pixel_values")
  // One grey level is tolerated; after normalization it is largest for the channel with the smallest deviation.
  let level = Double(1 / 255 / CLIPPreprocessing.deviation.min()!)
  let largest = Double(expected.values.map { abs($0) }.max() ?? 1)
  var agreement = Agreement()
  agreement.compare(
    "pixel_values", found.reshaped(expected.shape), expected, tolerance: level / largest + Agreement.arithmetic)
  return agreement
}
