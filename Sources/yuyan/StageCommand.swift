import ArgumentParser
import YuyanRecipes

/// A command that runs one task; its flags are the keys of the task's configuration.
protocol StageCommand: AsyncParsableCommand {
    associatedtype Configuration: TaskConfiguration
    /// How the command is called: `yuyan tokenizer train`.
    static var path: String { get }
    static var aliases: [String] { get }
    var arguments: [String] { get }
}

extension StageCommand {
    static var aliases: [String] { [] }

    static var configuration: CommandConfiguration {
        let name = path.split(separator: " ").last.map(String.init)
        return CommandConfiguration(commandName: name, abstract: Configuration.summary, helpNames: [], aliases: aliases)
    }

    func run() async throws {
        try await StageCommandLine.run(Configuration.self, command: Self.path, arguments: arguments)
    }
}
