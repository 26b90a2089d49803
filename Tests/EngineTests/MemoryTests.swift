// The memory of tensors: blocks never overlap when memory is cut, joined and used again.

import Engine
import Testing

@Suite struct MemoryTests {
  /// A block in which every 512th word and the last word are `mark`.
  private struct Block {
    let words: UnsafeMutableBufferPointer<UInt64>
    let mark: UInt64

    init(count: Int, mark: UInt64) {
      let memory = TensorMemory.allocate(byteCount: 8 * count)
      words = UnsafeMutableBufferPointer(start: memory.bindMemory(to: UInt64.self, capacity: count), count: count)
      self.mark = mark
      for index in places { words[index] = mark }
    }

    private var places: [Int] { Array(stride(from: 0, to: words.count, by: 512)) + [words.count - 1] }

    /// Frees the memory. Returns whether its marks were unchanged.
    func end() -> Bool {
      defer { TensorMemory.deallocate(UnsafeMutableRawPointer(words.baseAddress!)) }
      return Int(bitPattern: words.baseAddress!) % 64 == 0 && places.allSatisfy { words[$0] == mark }
    }
  }

  @Test func `blocks of 8 bytes to 16 MiB never overlap on several threads`() async {
    let intact = await withTaskGroup(of: Bool.self) { group in
      for task in 0..<4 {
        group.addTask {
          var random = RandomStream(seed: 31).fork("\(task)"), blocks: [Block] = [], intact = true
          for step in 0..<1500 {
            if !blocks.isEmpty, random.integer(below: blocks.count + 12) < blocks.count {
              blocks.swapAt(random.integer(below: blocks.count), blocks.count - 1)
              intact = blocks.removeLast().end() && intact
            }
            let octave = random.integer(below: 22)
            blocks.append(Block(count: 1 + random.integer(below: 1 << octave), mark: UInt64(task << 32 | step)))
          }
          for block in blocks { intact = block.end() && intact }
          return intact
        }
      }
      return await group.reduce(true) { $0 && $1 }
    }
    #expect(intact)
  }
}
