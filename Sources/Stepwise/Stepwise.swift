// `stepwise`, the user's tool: a subcommand a file.

import ArgumentParser

@main
struct Stepwise: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise",
    abstract: "Fine-tune few-step text-to-image diffusion models by reinforcement learning.",
    discussion: """
      Begin with `stepwise quickstart`. A run of one's own is a YAML file (see configs/) given to `stepwise run`, \
      which starts learner, router, reward server and actors on this machine.
      """,
    subcommands: [
      QuickstartCommand.self, RunCommand.self, GenerateCommand.self, EvaluateCommand.self,
      ReplayCommand.self, PlotCommand.self, PretrainCommand.self, DistillCommand.self, KeysCommand.self,
    ])
}
