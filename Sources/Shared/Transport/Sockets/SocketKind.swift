// The messaging patterns of libzmq that this project uses.

internal import CZeroMQ

package enum SocketKind: Sendable {
  /// Addresses a peer by the first frame of a message. Reports if the peer is not connected.
  case router
  /// Exchanges messages with a ROUTER.
  case dealer
  /// Sends to every subscriber. Messages for slow subscribers are dropped.
  case publisher
  case subscriber
  /// Exchanges messages with exactly one peer.
  case pair

  var code: Int32 {
    switch self {
    case .router: ZMQ_ROUTER
    case .dealer: ZMQ_DEALER
    case .publisher: ZMQ_PUB
    case .subscriber: ZMQ_SUB
    case .pair: ZMQ_PAIR
    }
  }
}
