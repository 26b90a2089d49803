// What can go wrong with pictures that come from outside: a file, its content, a font.

/// A picture, font or data set that cannot be used; the text says where, what was expected, what was found.
package struct ImagingError: Error, CustomStringConvertible {
  package let description: String

  init(_ place: String, _ problem: String) {
    description = "\(place): \(problem)"
  }
}
