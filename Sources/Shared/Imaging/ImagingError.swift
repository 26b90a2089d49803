// A picture, font or data set that cannot be used; the description names the file and the problem.

package struct ImagingError: Error, CustomStringConvertible {
  package let description: String

  init(_ place: String, _ problem: String) { description = "\(place): \(problem)" }
}
