// The command-line arguments that all programs of the roles share.

internal import ArgumentParser
package import Configuration
internal import Foundation

package struct ConfigurationArguments: ParsableArguments {
  @Option(help: "The YAML file of the run. Without it, all keys have their defaults.")
  var config: String?

  @Option(name: .customLong("set"), help: "Override a key, such as sampling.batchSize=4. May be repeated.")
  var overrides: [String] = []

  @Flag(help: "Allow addresses of other machines without keys, like network.insecure: true.")
  var insecure = false

  package init() {}

  package func load() throws -> Configuration {
    try Configuration(
      file: config.map { URL(filePath: $0) }, overrides: overrides + (insecure ? ["network.insecure=true"] : []))
  }
}
