// Resampling equals that of Pillow; cropping, padding, variations and drawing keep the right pixels.

import Engine
import Imaging
import Testing

@Suite struct ImageGeometryTests {
  @Test func `shrinking equals Pillow to the bit`() {
    let small = pattern(width: 13, height: 9).resized(width: 5, height: 7)
    #expect(small.pixels == [
      9, 62, 120, 93, 137, 146, 170, 126, 110, 138, 162, 120, 148, 117, 130, 28, 102, 176, 125, 156, 97, 125, 116, 141,
      127, 128, 136, 108, 151, 171, 52, 144, 177, 127, 147, 75, 109, 115, 112, 98, 102, 142, 136, 149, 134, 74, 185, 35,
      147, 156, 128, 116, 131, 138, 153, 124, 119, 110, 99, 141, 96, 192, 75, 153, 107, 130, 91, 111, 119, 136, 122,
      146, 126, 120, 107, 122, 122, 137, 120, 92, 138, 121, 118, 139, 128, 132, 115, 117, 142, 93, 141, 42, 179, 153,
      130, 131, 165, 87, 126, 141, 101, 108, 127, 89, 163,
    ])
  }

  @Test func `enlarging one side equals Pillow to the bit`() {
    let wide = pattern(width: 4, height: 3).resized(width: 6, height: 3)
    #expect(wide.pixels == [
      0, 50, 100, 2, 52, 102, 10, 60, 110, 24, 74, 124, 48, 98, 148, 65, 115, 165, 12, 75, 138, 16, 79, 142, 26, 89,
      152, 42, 105, 168, 69, 132, 195, 87, 150, 213, 25, 101, 177, 31, 107, 183, 43, 119, 197, 61, 137, 227, 89, 165,
      106, 110, 186, 0,
    ])
  }

  @Test func `resizing to the same size and an empty variation change nothing`() {
    let picture = pattern(width: 9, height: 9)
    #expect(picture.resized(width: 9, height: 9) == picture)
    #expect(picture.varied(.init()) == picture)
  }

  @Test func `mirroring twice changes nothing`() {
    let picture = pattern(width: 9, height: 7)
    var mirrored = Image.Variation()
    mirrored.isMirrored = true
    #expect(picture.varied(mirrored) != picture)
    #expect(picture.varied(mirrored)[0, 3] == picture[8, 3])
    #expect(picture.varied(mirrored).varied(mirrored) == picture)
  }

  @Test func `a shift moves the picture and leaves white behind`() {
    let picture = Image(width: 10, height: 10, color: .black)
    var shifted = Image.Variation()
    shifted.shift = (0.2, 0)
    let moved = picture.varied(shifted)
    #expect(moved[0, 5] == .white && moved[1, 5] == .white && moved[2, 5] == .black && moved[9, 5] == .black)
  }

  @Test func `fading keeps white and moves other colours towards it`() {
    var picture = Image(width: 2, height: 1)
    picture[1, 0] = .black
    #expect(picture.faded(keeping: 1) == picture)
    let faded = picture.faded(keeping: 0.6)
    #expect(faded[0, 0] == .white && Array(faded.pixels[3...]) == [102, 102, 102])
  }

  @Test func `the centre square and the padded square keep the middle`() {
    var picture = Image(width: 6, height: 2)
    picture[3, 1] = .black
    let square = picture.centreSquare(side: 2)
    #expect(square.width == 2 && square.height == 2)
    #expect(square[1, 1] == .black && square[0, 0] == .white)
    let padded = picture.paddedSquare(side: 6)
    #expect(padded.height == 6 && padded[3, 3] == .black)
  }

  @Test func `drawing is clipped at every border`() {
    let blot = Image(width: 4, height: 4, color: .black)
    for (x, y) in [(-2, -2), (8, 8), (-4, 0), (20, 20), (3, -1)] {
      var page = Image(width: 10, height: 10)
      page.draw(blot, x: x, y: y)
      for row in 0..<10 {
        for column in 0..<10 {
          let inside = (x..<x + 4).contains(column) && (y..<y + 4).contains(row)
          #expect(page[column, row] == (inside ? .black : .white))
        }
      }
    }
  }

  @Test func `the preprocessing of CLIP normalizes by mean and standard deviation`() {
    let tensor = CLIPPreprocessing(size: 8)([Image(width: 20, height: 10, color: .init(51, 102, 255))])
    #expect(tensor.shape == [1, 3, 8, 8])
    let values = tensor.values
    #expect(abs(values[0] - (0.2 - 0.48145466) / 0.26862954) < 1e-5)
    #expect(abs(values[64] - (0.4 - 0.4578275) / 0.26130258) < 1e-5)
    #expect(abs(values[128] - (1 - 0.40821073) / 0.27577711) < 1e-5)
  }
}
