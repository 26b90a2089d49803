// Many pictures on one page, with words: what a person looks at to see whether a model got better.

/// A grid of pictures with column titles, row titles and a caption under each.
package struct ContactSheet: Sendable {
  /// One picture and what is written under it.
  package struct Cell: Sendable {
    package var image: Image
    package var caption: String
    package init(_ image: Image, caption: String = "") {
      self.image = image
      self.caption = caption
    }
  }

  /// A line of cells with a title at its left.
  package struct Row: Sendable {
    package var title: String
    package var cells: [Cell]
    package init(_ title: String = "", _ cells: [Cell]) {
      self.title = title
      self.cells = cells
    }
  }

  /// Written over everything; may be empty.
  package var title: String
  /// Written over the columns; may be fewer than there are columns.
  package var columnTitles: [String]
  package var rows: [Row]
  /// Side in pixels of the square that each picture fills.
  package var cellSide: Int

  package init(title: String = "", columnTitles: [String] = [], rows: [Row], cellSide: Int = 128) {
    (self.title, self.columnTitles, self.rows, self.cellSide) = (title, columnTitles, rows, cellSide)
  }

  /// Pictures in reading order, `columns` a row.
  package init(title: String = "", _ cells: [Cell], columns: Int, cellSide: Int = 128) {
    let rows = stride(from: 0, to: cells.count, by: max(1, columns)).map {
      Row("", Array(cells[$0..<min($0 + max(1, columns), cells.count)]))
    }
    self.init(title: title, rows: rows, cellSide: cellSide)
  }

  private static let gap = 6
  private static let textSize = 12
  private static let lineHeight = 16
  private static let captionLines = 2

  /// Draws the page.
  ///
  /// - Throws: `ImagingError` that names the Debian package when the text font is missing.
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
