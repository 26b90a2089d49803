// Messages that have a struct of protobuf-c, and the sub-messages in their fields.

protocol Coded {
  associatedtype Struct
  /// Reads and checks a struct that protobuf-c unpacked.
  init(_ message: Struct, _ path: FieldPath) throws
  func packed(in arena: Arena) -> UnsafeMutablePointer<Struct>
}

extension FieldPath {
  func required<Part: Coded>(_ pointer: UnsafeMutablePointer<Part.Struct>?, _ name: String) throws -> Part {
    guard let pointer else { throw failure(name, "expected the field, found none") }
    return try Part(pointer.pointee, field(name))
  }

  func list<Part: Coded>(
    _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Part.Struct>?>?, _ count: Int, _ name: String
  ) throws -> [Part] {
    try (0..<count).map { index in
      guard let element = pointer?[index] else { throw failure("\(name)[\(index)]", "expected an element, found none") }
      return try Part(element.pointee, field(name).element(index))
    }
  }
}
