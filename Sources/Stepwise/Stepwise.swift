// `stepwise`, the user's program; each subcommand has a file.

import ArgumentParser

@main
struct Stepwise: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stepwise",
    abstract: "Fine-tune few-step text-to-image diffusion models by reinforcement learning.",
    discussion: """
      Start with `stepwise quickstart`. To train with your own settings, pass a YAML file (see configs/) to \
      `stepwise run`, which starts a learner, routers, reward servers and actors on this machine.
      """,
    subcommands: [
      QuickstartCommand.self, RunCommand.self, GenerateCommand.self, EvaluateCommand.self,
      ReplayCommand.self, PlotCommand.self, PretrainCommand.self, DistillCommand.self, KeysCommand.self,
    ])
}
