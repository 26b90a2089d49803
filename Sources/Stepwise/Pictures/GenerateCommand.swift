// `stepwise generate`: pictures from prompts.

import ArgumentParser
import Diffusion
import Durable
import Engine
import Foundation
import Imaging
import Layers
import Models
import Programs
import Supervision
import Telemetry

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Generate pictures from prompts, as PNG files and a sheet.",
    discussion: """
      With --eta 0 --scheduler ddim the pictures equal those of DDIMScheduler in diffusers for the same latents, which \
      --save-latents writes.
      """)

  @OptionGroup var model: ModelOptions
  @Option(parsing: .upToNextOption, help: "One or more prompts; quote a prompt of several words.") var prompt: [String]
  @Option(help: "Pictures per prompt.") var images = 1
  @Option(help: "Seed of all random numbers.") var seed: UInt64 = 0
  @Option(help: "Start from these latents: a safetensors file with `latents` [n, C, H, W], one per picture.")
  var latents: String?
  @Option(help: "Safetensors file to write the initial latents to.") var saveLatents: String?
  @Option(help: "Folder to write 0000.png, 0001.png, ... and sheet.png to.")
  var out: String

  func validate() throws {
    guard !prompt.isEmpty else { throw ValidationError("--prompt: give at least one prompt") }
    try requirePositive(["images": images])
  }

  func run() throws {
    let generator = try model.load()
    let prompts = prompt.flatMap { [String](repeating: $0, count: images) }
    let noise = prompts.indices.map { PictureNoise(seed: seed, number: $0) }
    let initial = try latents.map { try readLatents($0, count: prompts.count, shape: generator.model.latentShape) }
      ?? noise.initial(generator.model.latentShape)
    let progress = ProgressLine("pictures", total: prompts.count)
    let pictures = try generator.pictures(
      prompts, noise: noise, initial: initial, by: [generator.model.decoder]
    ) { progress.update($0) }
    try write(pictures[0], of: prompts, initial: initial)
  }

  private func readLatents(_ path: String, count: Int, shape: [Int]) throws -> Tensor {
    let latents = try SafetensorsFile(URL(filePath: path)).tensor("latents")
    guard latents.shape == [count] + shape else {
      throw CommandError(
        "\(path): expected latents of the shape \([count] + shape) for \(count) pictures, found "
          + "\(latents.shape)")
    }
    return latents
  }

  private func write(_ pictures: [Image], of prompts: [String], initial: Tensor) throws {
    let folder = URL(filePath: out)
    try Disk.createFolder(out)
    for (number, picture) in pictures.enumerated() {
      try picture.writePNG(to: folder.appending(path: String(format: "%04d.png", number)))
    }
    let cells = zip(pictures, prompts).map { ContactSheet.Cell($0, caption: $1) }
    let columns = images > 1 ? min(images, 10) : min(8, cells.count)
    let sheet = ContactSheet(
      cells, columns: columns, cellSide: min(256, max(96, pictures[0].width)))
    try sheet.rendered().writePNG(to: folder.appending(path: "sheet.png"))
    if let saveLatents {
      var writer = SafetensorsWriter()
      writer.add("latents", initial)
      try writer.write(to: URL(filePath: saveLatents))
    }
    print("wrote \(pictures.count) picture\(pictures.count == 1 ? "" : "s") and sheet.png to \(out)")
  }
}
