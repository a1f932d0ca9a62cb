import ArgumentParser
import YuyanRecipes

struct DataGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Prepare what models learn from.", subcommands: [DataPack.self, DataFacts.self])
}

struct DataPack: StageCommand {
    typealias Configuration = PackTask
    static let path = "yuyan data pack"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct DataFacts: StageCommand {
    typealias Configuration = FactsTask
    static let path = "yuyan data facts"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}
