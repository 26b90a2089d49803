// Discounted returns of dense rewards.

/// R_i = r_i + γ R_{i+1}, R_N = 0; not normalized. There is one reward per step, the noisiest step first.
package func discountedReturns(_ rewards: [Float], discount: Float) -> [Float] {
  var returns = rewards
  for index in returns.indices.dropLast().reversed() { returns[index] += discount * returns[index + 1] }
  return returns
}
