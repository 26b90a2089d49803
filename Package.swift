// swift-tools-version: 6.1
import PackageDescription

// docs/architecture.md explains the targets and their order, and Tests/LayeringTests checks the imports. A target may
// depend only on targets above it.

let modern: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]
/// Numeric code is optimized in debug builds too: without optimization the tests are 50 times slower.
let optimised: [SwiftSetting] = modern + [.unsafeFlags(["-O"], .when(configuration: .debug))]

func shared(_ name: String, _ dependencies: [Target.Dependency], _ settings: [SwiftSetting] = modern) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", swiftSettings: settings)
}

func system(_ name: String, _ pkgConfig: String? = nil) -> Target {
  .systemLibrary(name: name, path: "Sources/Shared/\(name)", pkgConfig: pkgConfig)
}

/// A role is a library, so that tests and `stepwise` can run it in their own process, and a program of one file.
func role(_ name: String, program: String, _ dependencies: [Target.Dependency]) -> [Target] {
  [
    .target(
      name: name, dependencies: dependencies, path: "Sources/\(name)", exclude: ["Program"], swiftSettings: modern),
    .executableTarget(
      name: program,
      dependencies: [.byName(name: name), "Programs", "Configuration", "Settings", arguments], path: "Sources/\(name)/Program",
      swiftSettings: modern),
  ]
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: modern)
}

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "stepwise",
  products: [
    .executable(name: "stepwise", targets: ["stepwise"]),
    .executable(name: "stepwise-actor", targets: ["stepwise-actor"]),
    .executable(name: "stepwise-learner", targets: ["stepwise-learner"]),
    .executable(name: "stepwise-reward-server", targets: ["stepwise-reward-server"]),
    .executable(name: "stepwise-bench", targets: ["stepwise-bench"]),
    .executable(name: "stepwise-torture", targets: ["stepwise-torture"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    // C
    system("CSystem"),
    system("CHDF5", "hdf5-serial"),
    system("CZeroMQ"),
    system("CFreeType", "freetype2"),
    .target(name: "CChecksum", path: "Sources/Shared/CChecksum", cSettings: [.unsafeFlags(["-O3"])]),
    .target(
      name: "CMessages", path: "Sources/Shared/CMessages", linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(
      name: "CImaging", dependencies: ["CFreeType"], path: "Sources/Shared/CImaging",
      linkerSettings: [.linkedLibrary("jpeg"), .linkedLibrary("png")]),
    .target(name: "COpenBLAS", path: "Sources/Shared/COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
    .target(
      name: "CKernels", dependencies: ["COpenBLAS"], path: "Sources/Shared/CKernels",
      cSettings: [
        .headerSearchPath("."), .headerSearchPath("convolution"), .headerSearchPath("memory"),
        .headerSearchPath("products"), .unsafeFlags(["-O3", "-fno-math-errno"]),
      ],
      linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    // What the standard library lacks
    shared("Basics", []),
    shared("Settings", []),
    // Computation, from tensors to methods
    shared("Engine", ["CKernels", "COpenBLAS"], optimised),
    shared("Layers", ["Engine", "Durable", "Basics"], optimised),
    shared("Imaging", ["CImaging", "Engine", "Durable", "Basics"], optimised),
    shared("Models", ["Layers"], optimised),
    shared("Diffusion", ["Models", "Layers", "Engine", "Settings"], optimised),
    shared("Algorithms", ["Diffusion", "Layers", "Engine", "Settings", "Basics"], optimised),
    shared("Rewards", ["Models", "Layers", "Engine", "Imaging", "Settings"], optimised),
    shared("Pretraining", ["Diffusion", "Models", "Layers", "Engine", "Imaging", "Basics"], optimised),
    // Files, messages, settings and processes
    shared("Roles", []),
    shared("Durable", ["CChecksum"]),
    shared("Threads", ["CSystem", "Durable", "Basics", logging]),
    shared("Messages", ["Roles", "Engine", "CMessages", "Basics"], optimised),
    shared("Transport", ["Roles", "CZeroMQ", "Threads", "Settings", "Durable", "Basics", logging]),
    shared("Replay", ["Messages", "Engine", "Settings", "CHDF5", "Durable", "Threads", "Basics"], optimised),
    shared("Telemetry", ["Engine", "Imaging", "Durable", "Basics"], optimised),
    shared("Configuration", ["Settings", "Basics", yaml]),
    shared("RewardClient", ["Messages", "Transport", "Roles", "Threads", "Engine", "Settings", "Basics"], optimised),
    shared(
      "Training",
      [
        "Configuration", "Algorithms", "Diffusion", "Models", "Layers", "Engine", "Messages", "Telemetry", "Imaging",
        "Durable", "Basics", logging,
      ], optimised),
    shared("Supervision", ["Configuration", "Roles", "Threads"]),
    shared("Programs", ["Configuration", arguments]),
  ]
    // Programs
    + role(
      "Actor", program: "stepwise-actor",
      [
        "Configuration", "Diffusion", "Models", "Layers", "Engine", "Messages", "Transport", "Roles", "Threads", "RewardClient", "Telemetry",
        logging,
      ])
    + role(
      "RewardServer", program: "stepwise-reward-server",
      [
        "Configuration", "Settings", "Rewards", "Models", "Layers", "Engine", "Imaging", "Messages", "Transport",
        "Roles", "Threads", logging,
      ])
    + role(
      "Learner", program: "stepwise-learner",
      [
        "Configuration", "Algorithms", "Diffusion", "Models", "Layers", "Engine", "Messages", "Transport", "Roles",
        "Threads", "RewardClient", "Replay", "Telemetry", "Imaging", "Training", "Durable", "Basics", logging,
      ])
    + [
      .executableTarget(
        name: "stepwise",
        dependencies: [
          "Actor", "RewardServer", "Learner", "Configuration", "Pretraining", "Rewards", "Diffusion", "Models",
          "Layers", "Engine", "Imaging", "Messages", "Transport", "Roles", "Threads", "RewardClient", "Replay", "Telemetry",
          "Training", "Supervision", "Durable", arguments, logging,
        ],
        path: "Sources/Stepwise", swiftSettings: modern),
      .executableTarget(
        name: "stepwise-bench",
        dependencies: [
          "Actor", "RewardServer", "Learner", "Configuration", "Pretraining", "Rewards", "Diffusion", "Models",
          "Layers", "Engine", "Imaging", "Messages", "Transport", "Roles", "Threads", "RewardClient", "Replay",
          "Telemetry", "Training", "Algorithms", "Supervision", "Basics", arguments, logging,
        ],
        path: "Sources/StepwiseBench", swiftSettings: modern),
      .executableTarget(
        name: "stepwise-torture",
        dependencies: [
          "Actor", "RewardServer", "Learner", "Configuration", "Rewards", "Engine", "Messages", "Transport", "Roles", "Threads",
          "Replay", "Supervision", "Durable", arguments, logging,
        ],
        path: "Sources/StepwiseTorture", swiftSettings: modern),
    ]
    + [
      // Shared by several test targets.
      .target(name: "Fixtures", path: "Tests/Fixtures", swiftSettings: modern),
      tests("EngineTests", ["Engine"]),
      tests("MessagesTests", ["Messages", "Roles", "Engine"]),
      tests("ReplayTests", ["Fixtures", "Replay", "Durable", "CChecksum", "Messages", "Engine", "Settings"]),
      tests(
        "LearnerTests",
        [
          "Fixtures", "Learner", "Training", "Replay", "Messages", "Transport", "Roles", "Threads", "Engine", "Settings",
          logging,
        ]),
      tests(
        "RunTests",
        [
          "Learner", "Training", "Actor", "RewardServer", "Rewards", "RewardClient", "Configuration", "Replay",
          "Messages", "Transport", "Roles", "Threads", "Telemetry", "Engine", logging,
        ]),
      tests(
        "FaultTests",
        [
          "Fixtures", "Training", "stepwise-learner", "Actor", "RewardServer", "Configuration", "Diffusion", "Models", "Replay", "Messages",
          "Transport", "Roles", "Threads", "Engine", logging,
        ]),
      tests("ImagingTests", ["Imaging", "Engine"]),
      tests("PretrainingTests", ["Pretraining", "Models", "Imaging", "Engine"]),
      tests("TransportTests", ["Transport", "Roles", "Threads", logging]),
      tests("ConfigurationTests", ["Configuration"]),
      tests(
        "ActorTests",
        [
          "Fixtures", "Actor", "RewardServer", "Rewards", "Configuration", "Models", "Layers", "Engine", "Messages",
          "Transport", "Roles", "Threads", logging,
        ]),
      tests(
        "RewardServerTests",
        ["RewardServer", "Rewards", "Configuration", "Messages", "Transport", "Roles", "Threads", "Engine", logging]),
      tests(
        "RewardClientTests",
        ["RewardClient", "RewardServer", "Rewards", "Configuration", "Messages", "Transport", "Roles", "Threads", "Engine", logging]),
      tests("TokenizerTests", ["Models"]),
      tests("ModelsTests", ["Models", "Layers", "Engine"]),
      tests("RewardsTests", ["Rewards", "Imaging", "Layers", "Engine", "Settings"]),
      tests("SafetensorsTests", ["Layers", "Durable", "Engine"]),
      tests(
        "TrainingTests",
        [
          "Fixtures", "Training", "Learner", "Configuration", "Diffusion", "Models", "Layers", "Messages", "Replay", "Telemetry",
          "Engine", logging,
        ]),
      tests("AlgorithmsTests", ["Algorithms", "Diffusion", "Engine", "Settings"]),
      tests(
        "GoldenTests",
        ["Algorithms", "Diffusion", "Rewards", "Models", "Layers", "Imaging", "Engine", "Settings"]),
      tests("TelemetryTests", ["Telemetry", "Durable", "Imaging"]),
      tests("DurableTests", ["Durable", "Basics", "Fixtures"]),
      tests("LayeringTests", []),
      tests("StepwiseTests", ["Fixtures", "stepwise", "stepwise-torture", "stepwise-bench", "Supervision", "Imaging", "Models", "Layers", "Engine"]),
    ],
  swiftLanguageModes: [.v6]
)
