import ArgumentParser
import Foundation
import YuyanRecipes

/// The command line: parses, calls one function of a library, prints.
struct Yuyan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "yuyan",
        abstract: "Yuyan 雨燕: from raw Chinese text to a model that you can talk to.",
        version: "0.1.0",
        subcommands: [
            QuickstartCommand.self, Run.self, TokenizerGroup.self, DataGroup.self, Pretrain.self, Finetune.self, EvaluateGroup.self, Generate.self,
            Chat.self, Convert.self, Doctor.self, BenchmarkGroup.self,
        ])
}

@main
enum Program {
    static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        // `yuyan help pretrain` is `yuyan pretrain --help`, also for commands whose flags come from a configuration.
        if arguments.first == "help" { arguments = arguments.dropFirst() + ["--help"] }
        exit(await run(arguments))
    }

    /// The one place where errors become a sentence on standard error and an exit status.
    private static func run(_ arguments: [String]) async -> Int32 {
        do {
            try checkCommand(arguments)
            var command = try Yuyan.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let error where Yuyan.exitCode(for: error).isSuccess {
            StandardOutput.line(Yuyan.fullMessage(for: error))  // --help and --version
            return 0
        } catch let error where Yuyan.exitCode(for: error) == .validationFailure {
            let words = arguments.prefix { !$0.hasPrefix("-") }.prefix(2).joined(separator: " ")
            Console.standard.error(RequestError("\(Yuyan.message(for: error)); see yuyan \(words.isEmpty ? "" : words + " ")--help"))
            return 2
        } catch {
            Console.standard.error(error)
            return Outcome.status(of: error)
        }
    }

    /// Refuses a word that is no command with the command that was probably meant.
    private static func checkCommand(_ arguments: [String]) throws {
        var group: any ParsableCommand.Type = Yuyan.self
        for word in arguments {
            let commands = group.configuration.subcommands
            guard !commands.isEmpty, !word.hasPrefix("-") else { return }
            guard let command = commands.first(where: { $0._commandName == word || $0.configuration.aliases.contains(word) }) else {
                throw RequestError("unknown command \"\(word)\"\(Suggestion.nearest(to: word, among: commands.map { $0._commandName }))")
            }
            group = command
        }
    }
}
