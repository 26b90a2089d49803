// The metrics of one epoch of training under the names that metrics.jsonl and TensorBoard use. The loss is dominated by
// the advantages and says little; ratios, clip fraction, gradient norm and staleness show whether training is healthy.

internal import Algorithms
internal import Engine
internal import Messages

package struct EpochReport {
  var epoch = 0
  var groups = 0
  /// Groups that were left out because they have no dense rewards, and why.
  var unscored = 0
  var reasonLeftOut: String?
  /// Units that the method chose: pairs, trajectories or draws from the replay.
  var units = 0
  var updates = 0
  /// Pictures for which reward servers computed a score or a gradient of a reward with a weight.
  var queries = 0
  /// Reward of the last clean states.
  var rewardMean = 0.0, rewardStd = 0.0, rewardStandardError = 0.0
  var denseRewardMean = 0.0
  var advantageStd = 0.0
  /// Metrics of each reward (`EpochBatch.rewardMetrics`).
  var ofRewards: [String: Double] = [:]
  /// How many policy versions old the groups are.
  var stalenessMean = 0.0, stalenessMax = 0.0
  /// Largest |ratio - 1| of fresh data before the first update; nil when none of the data is fresh.
  var freshRatioError: Double?
  var losses: [LossMetrics] = []
  var gradientNorms: [Float] = []
  var waitSeconds = 0.0, trainSeconds = 0.0

  /// `training.maximumStaleness`.
  var stalenessLimit = 0
  var ofIntake: [String: Double] = [:]
  /// Metrics that only some methods have.
  var ofMethod: [String: Double] = [:]

  /// Fills in the metrics that are known before the first update.
  init(_ batch: EpochBatch, epoch: Int) {
    self.epoch = epoch
    groups = batch.groups.count
    unscored = batch.unscored
    reasonLeftOut = batch.reasonLeftOut
    let last = batch.trajectories.compactMap(\.denseRewards.last), rewards = Moments(last)
    let staleness = batch.groups.map { epoch - $0.policyVersion }
    (rewardMean, rewardStd) = (rewards.mean, rewards.std)
    rewardStandardError = rewardStd / Double(max(last.count, 1)).squareRoot()
    denseRewardMean = Moments(batch.trajectories.flatMap(\.denseRewards)).mean
    stalenessMean = Moments(staleness.map(Float.init)).mean
    stalenessMax = Double(staleness.max() ?? 0)
  }

  var metrics: [String: Double] {
    func mean(_ values: [Float]) -> Double { Moments(values).mean }
    var values: [String: Double] = [
      "epoch/groups": Double(groups), "epoch/missing": Double(unscored), "epoch/updates": Double(updates),
      "epoch/units": Double(units), "reward/queries": Double(queries),
      "time/wait": waitSeconds, "time/train": trainSeconds, "policy/staleness_limit": Double(stalenessLimit),
    ].merging(ofIntake) { _, new in new }
    guard groups > 0 else { return values }
    values.merge(
      [
        "reward/mean": rewardMean, "reward/std": rewardStd, "reward/standard_error": rewardStandardError,
        "reward/dense": denseRewardMean, "policy/staleness": stalenessMean, "policy/staleness_max": stalenessMax,
        "policy/gradient_norm": mean(gradientNorms),
        "policy/gradient_norm_max": Double(gradientNorms.max() ?? 0),
      ]) { $1 }
    values.merge(ofRewards) { $1 }
    values.merge(ofMethod) { $1 }
    values["policy/fresh_ratio_error"] = freshRatioError
    guard !losses.isEmpty else { return values }
    values.merge(
      [
        "advantage/std": advantageStd, "policy/loss": mean(losses.map(\.loss)),
        "policy/log_ratio_mean": mean(losses.map(\.logRatioMean)),
        "policy/log_ratio_std": mean(losses.map(\.logRatioStd)),
        "policy/log_ratio_max": Double(losses.map(\.logRatioMax).max() ?? 0),
        "policy/clip_fraction": mean(losses.map(\.clipFraction)),
      ]) { $1 }
    return values
  }

  var summary: String {
    func short(_ value: Double) -> String { String((value * 10000).rounded() / 10000) }
    let leftOut = unscored > 0 ? "\(unscored) left out: \(reasonLeftOut ?? "")" : ""
    guard groups > 0 else { return "epoch \(epoch): no groups to train on, \(leftOut)" }
    let values = metrics
    return "epoch \(epoch): reward \(short(rewardMean)) ± \(short(rewardStandardError)), \(groups) groups"
      + (leftOut.isEmpty ? "" : " (\(leftOut))")
      + ", \(updates) updates"
      + (values["policy/clip_fraction"].map { ", clip fraction \(short($0))" } ?? "") + ", gradient norm "
      + "\(short(values["policy/gradient_norm"] ?? 0))"
      + (ofMethod["surrogate/accuracy"].map { ", surrogate ranks \(short($0))" } ?? "")
      + (ofMethod["surrogate/followed"] == 0 ? ", policy unchanged" : "")
      + (freshRatioError.map { ", fresh ratio 1 ± \(String($0))" } ?? "") + ", waited \(short(waitSeconds)) s, trained "
      + "\(short(trainSeconds)) s"
  }
}
