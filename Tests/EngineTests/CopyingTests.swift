import Engine
import Testing

@Suite("Copying elements that lie as bytes")
struct CopyingTests {
  @Test("gives them back at every size and alignment, and finds what is not finite wherever it is")
  func finite() {
    var random = RandomStream(seed: 5).fork("copying")
    for count in [0, 1, 7, 8, 9, 63, 1023, 1024, 1025, 4097] {
      for shift in [0, 1, 2, 3] {
        var values = random.normal([count]).values
        // The largest finite numbers are finite.
        if count > 1 { (values[0], values[count - 1]) = (.greatestFiniteMagnitude, -.greatestFiniteMagnitude) }
        func copied() -> (tensor: Tensor, isFinite: Bool) {
          let bytes = [UInt8](repeating: 0, count: shift) + values.withUnsafeBytes { Array($0) }
          return bytes.withUnsafeBytes { Tensor.copying(.init(rebasing: $0[shift...]), shape: [count]) }
        }
        #expect(copied().tensor.values == values && copied().isFinite)
        guard count > 0 else { continue }
        for place in Set([0, count / 2, count - 1]) {
          let kept = values[place]
          for bad in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
            values[place] = bad
            #expect(!copied().isFinite, "\(bad) at \(place) of \(count)")
          }
          values[place] = kept
        }
      }
    }
  }
}
