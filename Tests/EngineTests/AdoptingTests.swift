// Tensors that take over memory: at every size, and with the check for finite elements.

import Engine
import Testing

@Suite struct AdoptingTests {
  @Test func `adopted memory becomes a tensor and elements that are not finite are found at every position`() {
    var random = RandomStream(seed: 5).fork("adopting")
    for count in [0, 1, 7, 8, 9, 63, 1023, 1024, 1025, 4097] {
      var values = random.normal([count]).values
      // The largest finite numbers must not be taken for infinities.
      if count > 1 { (values[0], values[count - 1]) = (.greatestFiniteMagnitude, -.greatestFiniteMagnitude) }
      func adopted() -> (tensor: Tensor, isFinite: Bool) {
        let memory = TensorMemory.allocate(byteCount: 4 * count)
        values.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: 4 * count) }
        return Tensor.adopting(memory, shape: [count])
      }
      #expect(adopted().tensor.values == values && adopted().isFinite)
      guard count > 0 else { continue }
      for place in Set([0, count / 2, count - 1]) {
        let kept = values[place]
        for bad in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
          values[place] = bad
          #expect(!adopted().isFinite, "\(bad) at \(place) of \(count)")
        }
        values[place] = kept
      }
    }
  }
}
