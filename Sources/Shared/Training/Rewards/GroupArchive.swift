// Stored groups of another run, as training reads them. Training does not know the replay's files.

package import Foundation
package import Messages

/// Stored trajectory groups, by number.
package protocol GroupArchive {
  /// Numbers of all stored groups, in ascending order.
  var numbers: [Int] { get }

  /// Reads a group.
  ///
  /// - Throws: an error that names the file when the group cannot be read.
  func group(_ number: Int) throws -> TrajectoryGroup
}

/// Opens the archive in a folder.
package typealias OpenArchive = (_ folder: URL) throws -> any GroupArchive

/// The sources that training reads besides its groups.
package struct TrainingSources {
  /// Rewards with gradients; nil when no reward server is asked for gradients.
  package var gradients: (any PixelGradients)?
  /// Opens another run's stored groups.
  package var openArchive: OpenArchive

  package init(gradients: (any PixelGradients)? = nil, openArchive: @escaping OpenArchive) {
    self.gradients = gradients
    self.openArchive = openArchive
  }

  /// No gradients and no archives.
  package static var none: TrainingSources { TrainingSources { folder in
    throw TrainingError("\(folder.path): this program reads no stored groups")
  } }
}
