import Basics
import Testing

@Suite struct BasicsTests {
  @Test func `chunks cover a collection in order`() {
    #expect([1, 2, 3, 4, 5].chunks(of: 2) == [[1, 2], [3, 4], [5]])
    #expect([Int]().chunks(of: 2).isEmpty)
    #expect((3..<8).chunks(of: 3) == [3..<6, 6..<8])
  }

  @Test func `unique keeps the first of equal elements`() {
    #expect(["b", "a", "b", "c", "a"].unique() == ["b", "a", "c"])
  }

  @Test func `numbers and JSON strings as text`() {
    #expect(42.padded(to: 6) == "000042" && 1_234_567.padded(to: 6) == "1234567")
    #expect("a \"b\"\\\n".jsonQuoted == #""a \"b\"\\\u000a""#)
    #expect(Duration.milliseconds(1_500).seconds == 1.5)
  }
}
