// Checks of option values that several programs share.

internal import ArgumentParser

/// - Parameter options: values by the name of the option, without dashes.
/// - Throws: `ValidationError` for the first value that is not above 0.
package func requirePositive(_ options: KeyValuePairs<String, Int>) throws {
  for (name, value) in options where value < 1 {
    throw ValidationError("--\(name): expected a whole number above 0, found \(value)")
  }
}

/// As above; infinity is refused too.
package func requirePositive(_ options: KeyValuePairs<String, Double>) throws {
  for (name, value) in options where !(value > 0 && value.isFinite) {
    throw ValidationError("--\(name): expected a number above 0, found \(value)")
  }
}
