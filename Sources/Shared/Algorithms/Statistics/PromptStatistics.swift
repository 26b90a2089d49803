// Per-prompt, per-step normalisation of returns (SDPO, arXiv 2411.11727, section 4.3; per-prompt statistics after DDPO,
// arXiv 2305.13301). The statistics belong to the run's exact state: they are saved with every checkpoint.

internal import Engine

/// The latest returns of every (prompt, step).
package struct PromptStatistics: Codable, Sendable, Equatable {
  /// Returns kept for a (prompt, step).
  package let bufferSize: Int
  /// Below so many values the batch's statistics at that step are taken instead.
  package let minimumCount: Int
  /// By prompt, then step: the latest returns, the oldest first.
  private var rings: [String: [[Float]]] = [:]

  /// - Throws: `AlgorithmError` when the numbers are not positive or a ring can never hold enough.
  package init(bufferSize: Int, minimumCount: Int) throws {
    guard bufferSize >= 1, minimumCount >= 1, minimumCount <= bufferSize else {
      throw AlgorithmError(
        "prompt statistics: expected 1 <= minimumCount <= bufferSize, found \(minimumCount) and \(bufferSize)")
    }
    self.bufferSize = bufferSize
    self.minimumCount = minimumCount
  }

  /// Appends the returns of a batch, then normalises them:
  ///
  ///     A = (R - mean) / (std + 1e-6)
  ///
  /// mean and population standard deviation over the ring of (prompt, step), or over the whole batch at that step
  /// while the ring is short.
  ///
  /// - Parameters:
  ///   - returns: a row a trajectory, a column a step.
  ///   - prompts: one a trajectory.
  /// - Returns: advantages, shaped as `returns`.
  package mutating func advantages(returns: [[Float]], prompts: [String]) -> [[Float]] {
    guard let steps = returns.first?.count else { return [] }
    for (row, prompt) in zip(returns, prompts) { append(row, to: prompt) }
    let ofBatch = (0..<steps).map { step in Moments(returns.map { $0[step] }) }
    return zip(returns, prompts).map { row, prompt in
      row.enumerated().map { step, value in
        let ring = rings[prompt]![step]
        let moments = ring.count < minimumCount ? ofBatch[step] : Moments(ring)
        return moments.normalized(value, epsilon: 1e-6)
      }
    }
  }

  /// Takes up a checkpoint's statistics.
  ///
  /// - Throws: `AlgorithmError` when they are of another size.
  mutating func restore(_ found: PromptStatistics) throws {
    guard found.bufferSize == bufferSize, found.minimumCount == minimumCount else {
      throw AlgorithmError(
        "the checkpoint's prompt statistics keep \(found.bufferSize) returns (at least \(found.minimumCount)), the "
          + "configuration \(bufferSize) (\(minimumCount)); resume with the same numbers")
    }
    self = found
  }

  private mutating func append(_ row: [Float], to prompt: String) {
    var steps = rings.removeValue(forKey: prompt) ?? [[Float]](repeating: [], count: row.count)
    check(
      steps.count == row.count,
      "prompt statistics: \(row.count) steps, but \(steps.count) before; the number of steps changed within a run")
    for (step, value) in row.enumerated() {
      steps[step].append(value)
      if steps[step].count > bufferSize { steps[step].removeFirst() }
    }
    rings[prompt] = steps
  }
}

/// Advantages by one mean and population standard deviation over all trajectories and steps, + 1e-8.
package func batchAdvantages(returns: [[Float]]) -> [[Float]] {
  let moments = Moments(returns.flatMap { $0 })
  return returns.map { row in row.map { moments.normalized($0, epsilon: 1e-8) } }
}
