// Charts draw their lines, as pictures and as SVG.

import Imaging
import Testing

@Suite struct LineChartTests {
  private func chart(_ points: [(x: Double, y: Double)]) -> LineChart {
    LineChart(
      title: "reward", horizontalTitle: "epoch",
      lines: [.init("mean", points, color: .init(200, 0, 0))])
  }

  @Test func `a line spans the chart in its colour`() throws {
    let page = try chart((0..<50).map { (Double($0), Double($0 * $0)) }).rendered()
    #expect(page.width == 720 && page.height == 420)
    let columns = Set(
      (0..<page.width).filter { x in (0..<page.height).contains { page[x, $0] == .init(200, 0, 0) } })
    #expect(columns.count > 500)
  }

  @Test(arguments: [[], [(x: 3.0, y: -2.0)], [(x: 0, y: 5), (x: 1, y: 5)], [(x: 0, y: .nan), (x: 1, y: 1e-7)]])
  func `a chart can be drawn without points, with one point, and with values that are not finite`(
    points: [(x: Double, y: Double)]
  ) throws {
    #expect(try chart(points).rendered().width == 720)
    #expect(chart(points).svg().hasSuffix("</svg>\n"))
  }

  @Test func `SVG contains the points and escapes text`() {
    var line = chart([(0, 0), (10, 1)])
    line.title = "a < b & c"
    let text = line.svg()
    #expect(text.contains("a &lt; b &amp; c"))
    #expect(text.contains("points=\"74.0,374.0 700.0,34.0\""))
    #expect(text.contains(">0.2</text>") && text.contains(">10</text>"))
  }
}
