// Settings with which every method trains on a few groups of two steps.

package import Configuration

extension Configuration {
  /// Chooses a method, with settings for two epochs. Rewards may be negative.
  package mutating func chooseSmall(_ method: MethodName) {
    training.algorithm = method
    training.epochs = 2
    if method == .b2DiffuRL { sampling.groupSize = 3 }
    branches.shortestInterval = 1
    branches.longestInterval = 2
    branches.stages = 2
    gradient.sampling = .uniform
    gradient.masksNonPositive = false
    gradient.divergenceWeight = 0.001
    gradient.replayEpochs = 2
    gradient.differentiatedSteps = 2
    proxy.passes = 3
    lasro.warmupEpochs = 0
    lasro.warmupSteps = 4
    lasro.steps = 2
    lasro.pairsPerStep = 3
    lasro.heldOutEvery = 2
    lasro.minimumAccuracy = 0
  }
}
