// Activations by their names in model configurations.

package import Engine

package enum Activation: String, Sendable, CaseIterable {
  case gelu
  case quickGelu = "quick_gelu"
  case silu
  case relu

  package func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .gelu: x.gelu()
    case .quickGelu: x.quickGelu()
    case .silu: x.silu()
    case .relu: x.relu()
    }
  }
}
