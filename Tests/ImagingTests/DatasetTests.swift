// Data sets of glyphs and folders, fonts, and contact sheets.

import Fixtures
import Foundation
import Imaging
import Testing

@Suite struct DatasetTests {
  @Test func `the living subset holds the named animals, plants and food`() throws {
    let glyphs = try GlyphDataset(.living)
    #expect(glyphs.count == 229)
    #expect(glyphs.captions.contains("dolphin") && glyphs.captions.contains("fox face"))
    #expect(Set(glyphs.captions).count == glyphs.count)
    let dolphin = try #require((0..<glyphs.count).first { glyphs.caption($0) == "dolphin" })
    #expect(glyphs.scalar(dolphin) == "\u{1F42C}")
    let picture = glyphs.picture(dolphin)
    #expect(picture.width == 136 && picture.height == 128)
    #expect(picture[0, 0] == .white)
    let blue = (0..<136 * 128).filter { picture.pixels[$0 * 3 + 2] > picture.pixels[$0 * 3] &+ 40 }.count
    #expect(blue > 2000, "the picture of a dolphin must be blue")
  }

  @Test func `the subsets have as many glyphs as their union`() throws {
    let parts = try [GlyphDataset.Subset.animals, .plants, .food].map { try GlyphDataset($0).count }
    #expect(parts.reduce(0, +) == 229)
    #expect(try GlyphDataset(.all).count > 1200)
  }

  @Test func `a missing font is reported with its package, and a font without colour bitmaps is refused`() {
    let error = #expect(throws: ImagingError.self) { _ = try EmojiFont(path: "/nowhere/font.ttf") }
    #expect(error?.description.contains("fonts-noto-color-emoji") == true)
    let outlines = #expect(throws: ImagingError.self) {
      _ = try EmojiFont(path: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    }
    #expect(outlines?.description.contains("colour bitmaps") == true)
  }

  @Test func `a folder gives pictures and captions in the order of its metadata`() throws {
    try withTemporaryFolder { folder in
      for (name, side) in [("b.png", 3), ("a.png", 5)] {
        try pattern(width: side, height: side).writePNG(to: folder.appendingPathComponent(name))
      }
      let metadata = """
        {"file_name": "b.png", "text": "small"}

        {"file_name": "a.png", "text": "large", "extra": 1}
        """
      try Data(metadata.utf8).write(to: folder.appendingPathComponent("metadata.jsonl"))
      let pictures = try ImageFolderDataset(folder: folder)
      #expect(pictures.captions == ["small", "large"])
      #expect(try pictures.picture(1).width == 5)
    }
  }

  @Test func `a problem in the metadata of a folder is reported with its line`() throws {
    try withTemporaryFolder { folder in
      let metadata = folder.appendingPathComponent("metadata.jsonl")
      #expect(throws: ImagingError.self) { try ImageFolderDataset(folder: folder) }
      try Data("{\"file_name\": \"a.png\", \"text\": \"x\"}\n".utf8).write(to: metadata)
      let missing = #expect(throws: ImagingError.self) { try ImageFolderDataset(folder: folder) }
      #expect(missing?.description.contains("metadata.jsonl:1") == true)
      try Data("\n{\"file\": 1}\n".utf8).write(to: metadata)
      let broken = #expect(throws: ImagingError.self) { try ImageFolderDataset(folder: folder) }
      #expect(broken?.description.contains("metadata.jsonl:2") == true)
      try Data("\n".utf8).write(to: metadata)
      #expect(throws: ImagingError.self) { try ImageFolderDataset(folder: folder) }
    }
  }

  @Test func `a contact sheet shows its pictures and its text`() throws {
    let blot = Image(width: 8, height: 8, color: .init(200, 0, 0))
    let rows = [
      ContactSheet.Row("before", [.init(blot, caption: "a long caption that needs two lines"), .init(blot)]),
      ContactSheet.Row("after", [.init(blot)]),
    ]
    let page = try ContactSheet(title: "Title", columnTitles: ["one", "two"], rows: rows, cellSide: 64).rendered()
    let red = (0..<page.width * page.height).filter {
      page.pixels[$0 * 3] == 200 && page.pixels[$0 * 3 + 1] == 0 && page.pixels[$0 * 3 + 2] == 0
    }.count
    #expect(red == 3 * 64 * 64)
    let dark = page.pixels.filter { $0 < 64 }.count - 2 * red
    #expect(dark > 500, "the text must be visible")
    let flow = try ContactSheet([.init(blot), .init(blot), .init(blot)], columns: 2, cellSide: 16).rendered()
    #expect(flow.height > 2 * 16 && flow.width < 60)
  }
}
