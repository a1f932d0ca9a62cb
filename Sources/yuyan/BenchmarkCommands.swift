import ArgumentParser
import YuyanRecipes

struct BenchmarkGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measure speed on this machine.",
        subcommands: [BenchmarkTrain.self, BenchmarkGenerate.self, BenchmarkStream.self, BenchmarkTokenize.self])
}

struct BenchmarkTokenize: StageCommand {
    typealias Configuration = TokenizeBenchmark
    static let path = "yuyan benchmark tokenize"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct BenchmarkTrain: StageCommand {
    typealias Configuration = TrainBenchmark
    static let path = "yuyan benchmark train"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct BenchmarkGenerate: StageCommand {
    typealias Configuration = GenerateBenchmark
    static let path = "yuyan benchmark generate"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct BenchmarkStream: StageCommand {
    typealias Configuration = StreamBenchmark
    static let path = "yuyan benchmark stream"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}
