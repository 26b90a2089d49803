// Many pictures with titles and captions on one page, for a comparison of two models by eye.

internal import Basics

package struct ContactSheet: Sendable {
  package struct Cell: Sendable {
    package var image: Image
    package var caption: String
    package init(_ image: Image, caption: String = "") { (self.image, self.caption) = (image, caption) }
  }

  /// A row of cells with a title to the left.
  package struct Row: Sendable {
    package var title: String
    package var cells: [Cell]
    package init(_ title: String = "", _ cells: [Cell]) { (self.title, self.cells) = (title, cells) }
  }

  package var title: String
  /// The titles of the first columns.
  package var columnTitles: [String]
  package var rows: [Row]
  /// The side of the square for each picture, in pixels.
  package var cellSide: Int

  package init(title: String = "", columnTitles: [String] = [], rows: [Row], cellSide: Int = 128) {
    (self.title, self.columnTitles, self.rows, self.cellSide) = (title, columnTitles, rows, cellSide)
  }

  /// Pictures in reading order, `columns` per row.
  package init(title: String = "", _ cells: [Cell], columns: Int, cellSide: Int = 128) {
    self.init(title: title, rows: cells.chunks(of: max(1, columns)).map { Row("", $0) }, cellSide: cellSide)
  }

  private static let gap = 6
  private static let textSize = 12
  private static let lineHeight = 16
  private static let captionLines = 2

  /// The page. An error names the Debian package of the text font when it is missing.
  package func rendered() throws -> Image {
    let text = try TextFont(pixels: ContactSheet.textSize)
    let bold = try TextFont(pixels: ContactSheet.textSize, isBold: true)
    let gap = ContactSheet.gap, lineHeight = ContactSheet.lineHeight
    let columns = rows.map(\.cells.count).max() ?? 0
    let titleWidth = rows.allSatisfy(\.title.isEmpty) ? 0 : min(160, rows.map { bold.width(of: $0.title) }.max()!) + gap
    let hasCaptions = rows.contains { $0.cells.contains { !$0.caption.isEmpty } }
    let rowHeight = cellSide + gap + (hasCaptions ? ContactSheet.captionLines * lineHeight : 0)
    let head = (title.isEmpty ? 0 : lineHeight + gap) + (columnTitles.isEmpty ? 0 : lineHeight)
    let width = max(gap + titleWidth + columns * (cellSide + gap), title.isEmpty ? 1 : bold.width(of: title) + 2 * gap)
    var page = Image(width: width, height: gap + head + rows.count * (rowHeight + gap))

    if !title.isEmpty { bold.draw(title, on: &page, x: gap, baseline: gap + ContactSheet.textSize) }
    for (column, name) in columnTitles.enumerated() {
      let left = gap + titleWidth + column * (cellSide + gap)
      for line in bold.lines(name, limit: cellSide, count: 1) {
        bold.draw(line, on: &page, x: left, baseline: head)
      }
    }
    for (number, row) in rows.enumerated() {
      let top = gap + head + number * (rowHeight + gap)
      for (place, line) in bold.lines(row.title, limit: max(1, titleWidth - gap), count: 4).enumerated() {
        bold.draw(line, on: &page, x: gap, baseline: top + lineHeight * (place + 1))
      }
      for (column, cell) in row.cells.enumerated() {
        let left = gap + titleWidth + column * (cellSide + gap)
        page.draw(cell.image.paddedSquare(side: cellSide), x: left, y: top)
        let lines = text.lines(cell.caption, limit: cellSide, count: ContactSheet.captionLines)
        for (place, line) in lines.enumerated() {
          text.draw(line, on: &page, x: left, baseline: top + cellSide + lineHeight * (place + 1) - 2)
        }
      }
    }
    return page
  }
}
