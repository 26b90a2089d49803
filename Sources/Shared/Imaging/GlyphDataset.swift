// Emoji with their Unicode names: pictures with captions that every Debian machine has, without a download.

/// The named glyphs of the colour emoji font, in the order of their code points, in memory (52 kB each).
package struct GlyphDataset: CaptionedPictures {
  package enum Subset: String, Sendable, CaseIterable {
    case animals, plants, food
    /// Animals, plants and food: the data set of the embedded model.
    case living
    /// All scalars of the font that are emoji and have a Unicode name.
    case all

    /// The ranges of code points; those without a glyph or a name are left out.
    package var ranges: [ClosedRange<UInt32>] {
      switch self {
      case .animals:
        [0x1F400...0x1F43E, 0x1F54A...0x1F54A, 0x1F577...0x1F578, 0x1F980...0x1F9AF]
      case .plants: [0x1F32D...0x1F344]
      case .food: [0x1F345...0x1F37F, 0x1F950...0x1F96F]
      case .living:
        [0x1F32D...0x1F37F, 0x1F400...0x1F43E, 0x1F54A...0x1F54A, 0x1F577...0x1F578, 0x1F950...0x1F96F,
          0x1F980...0x1F9AF]
      case .all: [0x2000...0x3300, 0x1F000...0x1FAFF]
      }
    }
  }

  private let glyphs: [(scalar: Unicode.Scalar, name: String, image: Image)]

  package init(_ subset: Subset) throws {
    let font = try EmojiFont()
    var glyphs: [(scalar: Unicode.Scalar, name: String, image: Image)] = []
    for value in subset.ranges.joined() {
      guard let scalar = Unicode.Scalar(value), let name = GlyphDataset.name(of: scalar), font.contains(scalar)
      else { continue }
      glyphs.append((scalar, name, try font.image(of: scalar)))
    }
    self.glyphs = glyphs
  }

  /// The Unicode name of an emoji in lower case, such as "dolphin"; nil for scalars that are parts of other emoji (skin
  /// tones, regional letters) and for scalars without a name.
  package static func name(of scalar: Unicode.Scalar) -> String? {
    let properties = scalar.properties
    guard properties.isEmoji, !properties.isEmojiModifier, !(0x1F1E6...0x1F1FF).contains(scalar.value),
      scalar.value > 0xFF
    else { return nil }
    return properties.name?.lowercased()
  }

  package var count: Int { glyphs.count }
  package func caption(_ index: Int) -> String { glyphs[index].name }
  /// 136 x 128 pixels on white.
  package func picture(_ index: Int) -> Image { glyphs[index].image }
  /// The code point of a picture.
  package func scalar(_ index: Int) -> Unicode.Scalar { glyphs[index].scalar }
}
