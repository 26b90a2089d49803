// What an epoch of training tells: the numbers that show its health (the loss is dominated by the advantages and does
// not), as metrics.jsonl and TensorBoard name them.

internal import Algorithms
internal import Engine
internal import Messages

/// One epoch's numbers.
package struct EpochReport {
  var epoch = 0
  /// Groups trained on.
  var groups = 0
  /// Groups left out because a score is missing.
  var unscored = 0
  /// What the method chose of them to train on: pairs, trajectories or draws from the replay.
  var units = 0
  /// Optimiser steps.
  var updates = 0
  /// What reward servers were asked of the rewards that are learned: scores of pictures, and gradients at pictures.
  var queries = 0
  /// Reward of the last clean states.
  var rewardMean = 0.0, rewardDeviation = 0.0, rewardError = 0.0
  /// Mean of the dense rewards.
  var denseRewardMean = 0.0
  var advantageDeviation = 0.0
  /// What every single reward is, by name.
  var ofRewards: [String: Double] = [:]
  /// How many policies old the groups are.
  var lagMean = 0.0, lagLargest = 0.0
  /// Largest |ratio - 1| of fresh data before the first update; nil when none of the data is fresh.
  var freshRatioError: Double?
  var losses: [LossMetrics] = []
  var gradientNorms: [Float] = []
  /// Seconds waited for groups, and spent on training.
  var waitSeconds = 0.0, trainSeconds = 0.0

  /// How many policies old groups may be.
  var lagLimit = 0
  /// What the intake tells beside, by name.
  var ofIntake: [String: Double] = [:]
  /// What a method tells beside, by name.
  var ofMethod: [String: Double] = [:]

  /// What the groups say before any update.
  init(_ batch: EpochBatch, epoch: Int) {
    self.epoch = epoch
    groups = batch.groups.count
    unscored = batch.unscored
    let last = batch.trajectories.compactMap(\.denseRewards.last), lags = batch.groups.map { epoch - $0.policyVersion }
    let moments = Moments(last)
    (rewardMean, rewardDeviation) = (moments.mean, moments.std)
    rewardError = rewardDeviation / Double(max(last.count, 1)).squareRoot()
    denseRewardMean = Moments(batch.trajectories.flatMap(\.denseRewards)).mean
    lagMean = Moments(lags.map(Float.init)).mean
    lagLargest = Double(lags.max() ?? 0)
  }

  /// By name.
  var metrics: [String: Double] {
    func mean(_ values: [Float]) -> Double { Moments(values).mean }
    var values: [String: Double] = [
      "epoch/groups": Double(groups), "epoch/missing": Double(unscored), "epoch/updates": Double(updates),
      "epoch/units": Double(units), "reward/queries": Double(queries),
      "time/wait": waitSeconds, "time/train": trainSeconds, "policy/lag_limit": Double(lagLimit),
    ].merging(ofIntake) { _, new in new }
    guard groups > 0 else { return values }
    values.merge(
      [
        "reward/mean": rewardMean, "reward/deviation": rewardDeviation, "reward/error": rewardError,
        "reward/dense": denseRewardMean, "policy/lag": lagMean, "policy/lag_largest": lagLargest,
        "policy/gradient_norm": mean(gradientNorms),
        "policy/gradient_norm_largest": Double(gradientNorms.max() ?? 0),
      ]) { $1 }
    values.merge(ofRewards) { $1 }
    values.merge(ofMethod) { $1 }
    values["policy/fresh_ratio_error"] = freshRatioError
    guard !losses.isEmpty else { return values }
    values.merge(
      [
        "advantage/deviation": advantageDeviation, "policy/loss": mean(losses.map(\.loss)),
        "policy/log_ratio_mean": mean(losses.map(\.logRatioMean)),
        "policy/log_ratio_deviation": mean(losses.map(\.logRatioDeviation)),
        "policy/log_ratio_largest": Double(losses.map(\.logRatioLargest).max() ?? 0),
        "policy/clip_fraction": mean(losses.map(\.clipFraction)),
      ]) { $1 }
    return values
  }

  /// One line for a person.
  var summary: String {
    func short(_ value: Double) -> String { String((value * 10000).rounded() / 10000) }
    guard groups > 0 else { return "epoch \(epoch): no group has all its scores, \(unscored) were left out" }
    let values = metrics
    return "epoch \(epoch): reward \(short(rewardMean)) ± \(short(rewardError)), \(groups) groups"
      + (unscored > 0 ? " (\(unscored) left out, scores missing)" : "")
      + ", \(updates) updates"
      + (values["policy/clip_fraction"].map { ", clip fraction \(short($0))" } ?? "") + ", gradient norm "
      + "\(short(values["policy/gradient_norm"] ?? 0))"
      + (ofMethod["surrogate/accuracy"].map { ", surrogate ranks \(short($0))" } ?? "")
      + (ofMethod["surrogate/followed"] == 0 ? ", policy not moved" : "")
      + (freshRatioError.map { ", fresh ratio 1 ± \(String($0))" } ?? "") + ", waited \(short(waitSeconds)) s, trained "
      + "\(short(trainSeconds)) s"
  }
}
