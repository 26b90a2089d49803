// The configured timestep spacing as the noise schedule takes it.

package import Settings

extension NoiseSchedule.Spacing {
  /// nil for `model`: the scheduler configuration of the model decides.
  package init?(_ setting: TimestepSpacing) {
    switch setting {
    case .model: return nil
    case .leading: self = .leading
    case .trailing: self = .trailing
    }
  }
}
