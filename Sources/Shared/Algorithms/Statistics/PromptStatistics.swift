// Normalization of returns per prompt and step (SDPO, arXiv 2411.11727, section 4.3; per-prompt statistics as in DDPO,
// arXiv 2305.13301). The statistics are part of the run's state and saved with every checkpoint.

internal import Engine

package struct PromptStatistics: Codable, Sendable, Equatable {
  /// Number of returns that are kept for a (prompt, step).
  package let bufferSize: Int
  /// If there are fewer values than this, the batch's statistics at that step are used instead.
  package let minimumCount: Int
  /// By prompt, then by step: the latest returns, the oldest first.
  private var rings: [String: [[Float]]] = [:]

  package init(bufferSize: Int, minimumCount: Int) throws {
    guard bufferSize >= 1, minimumCount >= 1, minimumCount <= bufferSize else {
      throw AlgorithmError(
        "prompt statistics: expected 1 <= minimumCount <= bufferSize, found \(minimumCount) and \(bufferSize)")
    }
    self.bufferSize = bufferSize
    self.minimumCount = minimumCount
  }

  /// Appends the returns of a batch, then normalizes them:
  ///
  ///     A = (R - mean) / (std + 1e-6)
  ///
  /// with mean and population standard deviation over the ring of (prompt, step), or over the whole batch at that step
  /// while the ring has fewer than `minimumCount` values. Returns and advantages have one row per trajectory and one
  /// column per step.
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

  /// Restores the statistics of a checkpoint; an error when they were made with other settings.
  mutating func restore(_ found: PromptStatistics) throws {
    guard found.bufferSize == bufferSize, found.minimumCount == minimumCount else {
      throw AlgorithmError(
        "the checkpoint was made with training.statisticsBufferSize \(found.bufferSize) and "
          + "training.statisticsMinimumCount \(found.minimumCount), found \(bufferSize) and \(minimumCount); resume "
          + "with the values of the checkpoint")
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

/// Advantages by the mean and the population standard deviation + 1e-8 over all trajectories and steps.
package func batchAdvantages(returns: [[Float]]) -> [[Float]] {
  let moments = Moments(returns.flatMap { $0 })
  return returns.map { row in row.map { moments.normalized($0, epsilon: 1e-8) } }
}
