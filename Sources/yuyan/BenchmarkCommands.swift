import ArgumentParser
import YuyanRecipes

struct BenchmarkGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measure speed on this machine.", subcommands: [BenchmarkTokenize.self])
}

struct BenchmarkTokenize: StageCommand {
    typealias Configuration = TokenizeBenchmark
    static let path = "yuyan benchmark tokenize"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}
