// swift-tools-version: 6.1
import PackageDescription

// One call per target: its name, and the modules that it imports. docs/architecture.md has the same table with words;
// Tests/LayeringTests compares both with the imports of the sources.

let modern: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]
/// For targets that compute: without optimization they are 50 times slower, in tests too.
let optimized: [SwiftSetting] = modern + [.unsafeFlags(["-O"], .when(configuration: .debug))]

func system(_ name: String, pkgConfig: String? = nil) -> Target {
  .systemLibrary(name: name, path: "Sources/Shared/\(name)", pkgConfig: pkgConfig)
}

func clang(
  _ name: String, _ dependencies: [Target.Dependency], settings: [CSetting] = [], links: [String] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", cSettings: settings,
    linkerSettings: links.map { .linkedLibrary($0) })
}

func shared(_ name: String, _ dependencies: [Target.Dependency], _ settings: [SwiftSetting] = modern) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", swiftSettings: settings)
}

/// A role is a library, so that tests can run it in their own process, and a program of one file in `Program`.
func library(_ name: String, _ dependencies: [Target.Dependency], path: String) -> Target {
  let excluded = path.hasPrefix("Sources/") ? ["Program"] : []
  return .target(name: name, dependencies: dependencies, path: path, exclude: excluded, swiftSettings: modern)
}

func program(_ name: String, _ dependencies: [Target.Dependency], path: String) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: modern)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: modern)
}

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let programs = [
  "stepwise", "stepwise-actor", "stepwise-learner", "stepwise-reward-server", "stepwise-bench", "stepwise-torture",
]

let package = Package(
  name: "stepwise",
  products: programs.map { .executable(name: $0, targets: [$0]) },
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    // C
    system("CSystem"),
    system("CHDF5", pkgConfig: "hdf5-serial"),
    system("CZeroMQ"),
    system("CFreeType", pkgConfig: "freetype2"),
    clang("CChecksum", [], settings: [.unsafeFlags(["-O3"])]),
    clang("CMessages", [], links: ["protobuf-c"]),
    clang("CImaging", ["CFreeType"], links: ["jpeg", "png"]),
    clang("COpenBLAS", [], links: ["dl"]),
    clang(
      "CKernels", ["COpenBLAS"],
      settings: [
        .headerSearchPath("."), .headerSearchPath("convolution"), .headerSearchPath("memory"),
        .headerSearchPath("products"), .unsafeFlags(["-O3", "-fno-math-errno"]),
      ],
      links: ["m", "pthread"]),
    // Libraries
    shared("Settings", []),
    shared("Basics", [], optimized),
    shared("Engine", ["CKernels", "COpenBLAS"], optimized),
    shared("Layers", ["Basics", "Durable", "Engine"], optimized),
    shared("Imaging", ["Basics", "CImaging", "Durable", "Engine"], optimized),
    shared("Models", ["Engine", "Layers"], optimized),
    shared("Diffusion", ["Engine", "Settings"], optimized),
    shared("Algorithms", ["Basics", "Diffusion", "Engine", "Settings"], optimized),
    shared("Rewards", ["Engine", "Imaging", "Layers", "Models", "Settings"], optimized),
    shared("Pretraining", ["Basics", "Diffusion", "Engine", "Imaging", "Layers", "Models"], optimized),
    shared("Roles", []),
    shared("Durable", ["CChecksum"]),
    shared("Threads", ["Basics", "CSystem", "Durable", logging]),
    shared("Messages", ["Basics", "CMessages", "Engine", "Roles"], optimized),
    shared("Transport", ["Basics", "CZeroMQ", "Durable", "Roles", "Settings", "Threads", logging]),
    shared("Replay", ["Basics", "CHDF5", "Durable", "Engine", "Messages", "Settings", "Threads"], optimized),
    shared("Telemetry", ["Basics", "Durable", "Imaging"], optimized),
    shared("Configuration", ["Basics", "Settings", yaml]),
    shared("RewardClient", ["Basics", "Engine", "Messages", "Roles", "Settings", "Threads", "Transport"], optimized),
    shared(
      "Training",
      [
        "Algorithms", "Basics", "Configuration", "Diffusion", "Durable", "Engine", "Imaging", "Layers", "Messages",
        "Models", "Telemetry", logging,
      ], optimized),
    shared("Supervision", ["Configuration", "Roles", "Threads"]),
    shared("Programs", ["Configuration", arguments]),
    // Roles and programs
    library(
      "RewardServer",
      [
        "Basics", "Configuration", "Engine", "Messages", "Rewards", "Roles", "Settings", "Threads", "Transport",
        logging,
      ], path: "Sources/RewardServer"),
    program("stepwise-reward-server", ["Programs", "RewardServer", arguments], path: "Sources/RewardServer/Program"),
    library(
      "Actor",
      [
        "Basics", "Configuration", "Diffusion", "Engine", "Layers", "Messages", "Models", "RewardClient", "Roles",
        "Settings", "Threads", "Transport", logging,
      ], path: "Sources/Actor"),
    program(
      "stepwise-actor",
      [
        "Actor", "Configuration", "Programs", "Settings", arguments,
      ], path: "Sources/Actor/Program"),
    library(
      "Learner",
      [
        "Algorithms", "Basics", "Configuration", "Diffusion", "Durable", "Engine", "Imaging", "Messages", "Models",
        "Replay", "RewardClient", "Roles", "Threads", "Training", "Transport", logging,
      ], path: "Sources/Learner"),
    program("stepwise-learner", ["Learner", "Programs", arguments], path: "Sources/Learner/Program"),
    program(
      "stepwise",
      [
        "Configuration", "Diffusion", "Durable", "Engine", "Imaging", "Layers", "Messages", "Models", "Pretraining",
        "Programs", "Replay", "Rewards", "Roles", "Supervision", "Telemetry", "Transport", arguments,
      ], path: "Sources/Stepwise"),
    program(
      "stepwise-bench",
      [
        "Actor", "Basics", "Configuration", "Engine", "Layers", "Learner", "Messages", "Models", "Programs", "Replay",
        "RewardClient", "RewardServer", "Roles", "Supervision", "Telemetry", "Threads", "Training", "Transport",
        arguments, logging,
      ], path: "Sources/StepwiseBench"),
    program(
      "stepwise-torture",
      [
        "Actor", "Configuration", "Durable", "Engine", "Learner", "Messages", "Programs", "Replay", "RewardServer",
        "Rewards", "Roles", "Supervision", "Threads", "Transport", arguments, logging,
      ], path: "Sources/StepwiseTorture"),
    // Tests
    library("Fixtures", ["Configuration"], path: "Tests/Fixtures"),
    tests(
      "ActorTests",
      [
        "Actor", "Configuration", "Engine", "Fixtures", "Layers", "Messages", "Models", "RewardServer", "Rewards",
        "Threads", "Transport", logging,
      ]),
    tests("AlgorithmsTests", ["Algorithms", "Diffusion", "Engine", "Settings"]),
    tests("ConfigurationTests", ["Configuration", "Fixtures"]),
    tests("DurableTests", ["Basics", "Durable", "Fixtures"]),
    tests("EngineTests", ["Engine"]),
    tests(
      "FaultTests",
      [
        "Actor", "Configuration", "Diffusion", "Engine", "Fixtures", "Messages", "Models", "Replay", "RewardServer",
        "Roles", "Threads", "Transport", logging,
      ]),
    tests(
      "GoldenTests",
      [
        "Algorithms", "Diffusion", "Engine", "Fixtures", "Imaging", "Layers", "Models", "Rewards", "Settings",
      ]),
    tests("ImagingTests", ["Engine", "Fixtures", "Imaging"]),
    tests("LayeringTests", []),
    tests(
      "LearnerTests",
      [
        "Engine", "Fixtures", "Learner", "Messages", "Replay", "Roles", "Settings", "Threads", "Training", "Transport",
        logging,
      ]),
    tests("MessagesTests", ["Engine", "Messages", "Roles"]),
    tests("ModelsTests", ["Engine", "Fixtures", "Layers", "Models"]),
    tests("PretrainingTests", ["Engine", "Fixtures", "Imaging", "Models", "Pretraining"]),
    tests("ReplayTests", ["CChecksum", "Durable", "Engine", "Fixtures", "Messages", "Replay", "Settings"]),
    tests(
      "RewardClientTests",
      [
        "Configuration", "Engine", "Messages", "RewardClient", "RewardServer", "Rewards", "Transport", logging,
      ]),
    tests(
      "RewardServerTests",
      [
        "Configuration", "Engine", "Messages", "RewardServer", "Rewards", "Roles", "Threads", "Transport", logging,
      ]),
    tests("RewardsTests", ["Engine", "Fixtures", "Imaging", "Layers", "Rewards", "Settings"]),
    tests(
      "RunTests",
      [
        "Actor", "Configuration", "Engine", "Fixtures", "Learner", "Messages", "Replay", "RewardClient", "RewardServer",
        "Rewards", "Roles", "Telemetry", "Threads", "Training", "Transport", logging,
      ]),
    tests("SafetensorsTests", ["Durable", "Engine", "Fixtures", "Layers"]),
    tests("StepwiseTests", ["Engine", "Fixtures", "Imaging", "Layers", "Models"]),
    tests("TelemetryTests", ["Durable", "Fixtures", "Imaging", "Telemetry"]),
    tests("TokenizerTests", ["Fixtures", "Models"]),
    tests(
      "TrainingTests",
      [
        "Algorithms", "Configuration", "Diffusion", "Engine", "Fixtures", "Layers", "Learner", "Messages", "Models",
        "Replay", "Settings", "Telemetry", "Training", logging,
      ]),
    tests("TransportTests", ["Roles", "Threads", "Transport", logging]),
  ],
  swiftLanguageModes: [.v6]
)
