// A line chart: axes with round numbers and one or more lines, as a picture or as SVG.

internal import Foundation

package struct LineChart: Sendable {
  package struct Line: Sendable {
    package var name: String
    /// Points that are not finite are left out.
    package var points: [(x: Double, y: Double)]
    package var color: Image.Color
    package init(_ name: String, _ points: [(x: Double, y: Double)], color: Image.Color = Image.Color(31, 119, 180)) {
      (self.name, self.points, self.color) = (name, points, color)
    }
  }

  package var title: String
  package var horizontalTitle: String
  package var lines: [Line]
  /// In pixels.
  package var width = 720, height = 420

  package init(title: String, horizontalTitle: String, lines: [Line]) {
    (self.title, self.horizontalTitle) = (title, horizontalTitle)
    self.lines = lines.map { line in
      var finite = line
      finite.points = line.points.filter { $0.x.isFinite && $0.y.isFinite }
      return finite
    }
  }

  private static let margin = (left: 74, right: 20, top: 34, bottom: 46)
  private static let grey = Image.Color(200, 200, 200)
  /// The distance between names, and the largest width of a letter, in pixels.
  private static let nameHeight = 17, letterWidth = 8

  /// The names of the lines, to the right of the plot, when there are several.
  private var names: [(text: String, color: Image.Color)] { lines.count > 1 ? lines.map { ($0.name, $0.color) } : [] }

  private var plot: (left: Double, right: Double, top: Double, bottom: Double) {
    let margin = LineChart.margin
    let longest = names.map(\.text.count).max().map { $0 * LineChart.letterWidth + 10 } ?? 0
    let right = max(width - margin.right - longest, width / 2)
    return (Double(margin.left), Double(right), Double(margin.top), Double(height - margin.bottom))
  }

  private var horizontalAxis: Axis { Axis(lines.flatMap { $0.points.map(\.x) }) }
  private var verticalAxis: Axis { Axis(lines.flatMap { $0.points.map(\.y) }) }

  private func place(_ point: (x: Double, y: Double), _ horizontal: Axis, _ vertical: Axis) -> (x: Double, y: Double) {
    let plot = plot
    return (
      plot.left + horizontal.fraction(point.x) * (plot.right - plot.left),
      plot.bottom - vertical.fraction(point.y) * (plot.bottom - plot.top)
    )
  }

  /// The chart as a picture. An error names the Debian package of the text font when it is missing.
  package func rendered() throws -> Image {
    let text = try TextFont(pixels: 12), bold = try TextFont(pixels: 13, isBold: true)
    var page = Image(width: width, height: height)
    let (horizontal, vertical, plot) = (horizontalAxis, verticalAxis, plot)
    for tick in horizontal.ticks {
      let x = place((tick, vertical.low), horizontal, vertical).x
      page.stroke((x, plot.top), (x, plot.bottom), color: LineChart.grey, thickness: 1)
      let label = horizontal.label(tick)
      text.draw(label, on: &page, x: Int(x) - text.width(of: label) / 2, baseline: Int(plot.bottom) + 16)
    }
    for tick in vertical.ticks {
      let y = place((horizontal.low, tick), horizontal, vertical).y
      page.stroke((plot.left, y), (plot.right, y), color: LineChart.grey, thickness: 1)
      let label = vertical.label(tick)
      text.draw(label, on: &page, x: Int(plot.left) - 6 - text.width(of: label), baseline: Int(y) + 4)
    }
    for line in lines {
      let points = line.points.map { place($0, horizontal, vertical) }
      for (from, to) in zip(points, points.dropFirst()) { page.stroke(from, to, color: line.color, thickness: 2) }
      if points.count == 1 { page.stroke(points[0], points[0], color: line.color, thickness: 5) }
    }
    bold.draw(title, on: &page, x: LineChart.margin.left, baseline: 20)
    text.draw(
      horizontalTitle, on: &page, x: (width - text.width(of: horizontalTitle)) / 2, baseline: height - 10)
    for (index, name) in names.enumerated() {
      text.draw(
        name.text, on: &page, x: Int(plot.right) + 10, baseline: Int(plot.top) + LineChart.nameHeight * (index + 1),
        color: name.color)
    }
    return page
  }

  package func svg() -> String {
    let (horizontal, vertical, plot) = (horizontalAxis, verticalAxis, plot)
    func number(_ value: Double) -> String { String(format: "%.1f", value) }
    func words(_ text: String, _ x: Double, _ y: Double, _ anchor: String, _ extra: String = "") -> String {
      let escaped = text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      return "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\"\(extra)>\(escaped)</text>\n"
    }
    func path(_ from: (Double, Double), _ to: (Double, Double)) -> String {
      "<path d=\"M\(number(from.0)) \(number(from.1))L\(number(to.0)) \(number(to.1))\" stroke=\"#c8c8c8\"/>\n"
    }
    var text = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
      + "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    for tick in horizontal.ticks {
      let x = place((tick, vertical.low), horizontal, vertical).x
      text += path((x, plot.top), (x, plot.bottom)) + words(horizontal.label(tick), x, plot.bottom + 16, "middle")
    }
    for tick in vertical.ticks {
      let y = place((horizontal.low, tick), horizontal, vertical).y
      text += path((plot.left, y), (plot.right, y)) + words(vertical.label(tick), plot.left - 6, y + 4, "end")
    }
    for (index, line) in lines.enumerated() {
      let color = "rgb(\(line.color.red),\(line.color.green),\(line.color.blue))"
      let points = line.points.map { place($0, horizontal, vertical) }.map { "\(number($0.x)),\(number($0.y))" }
      text += "<polyline fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\" "
        + "points=\"\(points.joined(separator: " "))\"/>\n"
      if !names.isEmpty {
        let below = Double(LineChart.nameHeight * (index + 1))
        text += words(line.name, plot.right + 10, plot.top + below, "start", " fill=\"\(color)\"")
      }
    }
    text += words(title, plot.left, 20, "start", " font-weight=\"bold\"")
    return text + words(horizontalTitle, Double(width) / 2, Double(height) - 10, "middle") + "</svg>\n"
  }
}

/// A range of numbers with round ticks.
struct Axis {
  let low, high, step: Double

  /// The smallest range that contains all values and begins and ends at a tick.
  init(_ values: [Double]) {
    let low = values.min() ?? 0, high = values.max() ?? 1
    let span = high > low ? high - low : max(abs(high), 1)
    let rough = span / 5
    let power = pow(10, floor(log10(rough)))
    step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? 10 * power
    self.low = floor(low / step) * step
    let top = ceil(high / step) * step
    self.high = top > self.low ? top : self.low + step
  }

  var ticks: [Double] { (0...Int(((high - low) / step).rounded())).map { low + Double($0) * step } }

  func fraction(_ value: Double) -> Double { (value - low) / (high - low) }

  /// The tick as text, with as many decimals as the step needs.
  func label(_ tick: Double) -> String {
    let decimals = max(0, min(8, Int(ceil(-log10(step) + (step / pow(10, floor(log10(step))) == 2.5 ? 1 : 0)))))
    return String(format: "%.\(decimals)f", tick == 0 ? 0 : tick)
  }
}

extension Image {
  /// Draws a straight line with antialiased edges, clipped to the picture.
  mutating func stroke(
    _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), color: Color, thickness: Double
  ) {
    let reach = thickness / 2 + 1
    let columns = (left: Int(min(from.x, to.x) - reach), right: Int(max(from.x, to.x) + reach))
    let rows = (top: Int(min(from.y, to.y) - reach), bottom: Int(max(from.y, to.y) + reach))
    let along = (x: to.x - from.x, y: to.y - from.y)
    let length = along.x * along.x + along.y * along.y
    for y in stride(from: max(0, rows.top), through: min(height - 1, rows.bottom), by: 1) {
      for x in stride(from: max(0, columns.left), through: min(width - 1, columns.right), by: 1) {
        let offset = (x: Double(x) - from.x, y: Double(y) - from.y)
        let place = length > 0 ? max(0, min(1, (offset.x * along.x + offset.y * along.y) / length)) : 0
        let distance = hypot(offset.x - place * along.x, offset.y - place * along.y)
        let cover = max(0, min(1, thickness / 2 + 0.5 - distance))
        guard cover > 0 else { continue }
        let old = self[x, y]
        func mixed(_ old: UInt8, _ new: UInt8) -> UInt8 {
          UInt8((Double(old) * (1 - cover) + Double(new) * cover).rounded())
        }
        self[x, y] = Color(mixed(old.red, color.red), mixed(old.green, color.green), mixed(old.blue, color.blue))
      }
    }
  }
}
