import ArgumentParser
import Foundation
import YuyanRecipes

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the stages of a recipe; finished ones are skipped.",
        discussion: "A stage runs again when its configuration, or that of a stage it refers to, has changed. Results are in runs/NAME/STAGE/.")

    @Argument(help: "A YAML file: name, parameters, stages.")
    var recipe: String

    @Option(name: .customLong("set"), help: ArgumentHelp("Change a parameter, or a stage's setting: pretrain.steps=200.", valueName: "key=value"))
    var overrides: [String] = []

    @Option(help: ArgumentHelp("Run again from this stage on.", valueName: "stage"))
    var from: String?

    @Flag(help: "Print what became of the stages as JSON.")
    var json = false

    func run() async throws {
        let recipe = try Recipe(contentsOf: URL(fileURLWithPath: recipe), overrides: overrides, tasks: .standard)
        let command = ["yuyan", "run", self.recipe] + overrides.flatMap { ["--set", $0] }
        let reports = try await recipe.run(from: from, resumeCommand: StageCommandLine.quoted(command))
        if json {
            StandardOutput.line(TaskResult.json(Report(name: recipe.name, output: recipe.folder.relativePath, stages: reports)))
        } else {
            StandardOutput.line("\(recipe.name): all stages are done, in \(recipe.folder.relativePath)")
        }
    }

    private struct Report: Encodable {
        var name: String
        var output: String
        var stages: [Recipe.StageReport]
    }
}
