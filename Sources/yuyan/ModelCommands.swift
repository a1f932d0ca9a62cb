import ArgumentParser
import Foundation
import YuyanModels
import YuyanRecipes

struct Pretrain: StageCommand {
    typealias Configuration = PretrainTask
    static let path = "yuyan pretrain"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct Finetune: StageCommand {
    typealias Configuration = FinetuneTask
    static let path = "yuyan finetune"
    static let aliases = ["sft"]

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    /// With `--kind` it is a head that is trained.
    func run() async throws {
        if arguments.contains(where: { $0 == "--kind" || $0.hasPrefix("--kind=") }) {
            try await StageCommandLine.run(HeadTask.self, command: Self.path, arguments: arguments)
        } else {
            try await StageCommandLine.run(Configuration.self, command: Self.path, arguments: arguments)
        }
    }
}

struct EvaluateGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model.",
        subcommands: [EvaluatePerplexity.self, EvaluateFacts.self, EvaluateHead.self, EvaluateBLEU.self])
}

struct EvaluatePerplexity: StageCommand {
    typealias Configuration = EvaluateTask
    static let path = "yuyan evaluate perplexity"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct EvaluateFacts: StageCommand {
    typealias Configuration = EvaluateTask
    static let path = "yuyan evaluate facts"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct EvaluateHead: StageCommand {
    typealias Configuration = EvaluateHeadTask
    static let path = "yuyan evaluate head"
    static let aliases = TaskHead.Task.allCases.map(\.rawValue)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct EvaluateBLEU: StageCommand {
    typealias Configuration = BLEUTask
    static let path = "yuyan evaluate bleu"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct Generate: StageCommand {
    typealias Configuration = GenerateTask
    static let path = "yuyan generate"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct Convert: StageCommand {
    typealias Configuration = ConvertTask
    static let path = "yuyan convert"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct Doctor: StageCommand {
    typealias Configuration = DoctorTask
    static let path = "yuyan doctor"

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []
}

struct QuickstartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quickstart", abstract: "The whole way on the bundled corpus: tokenizer, pre-training, fine-tuning, questions.",
        discussion: "Runs \(Quickstart.recipe) in about six minutes on two cores; what is finished is skipped.")

    @Option(name: .customLong("set"), help: ArgumentHelp("Change a stage's setting: pretrain.steps=200.", valueName: "key=value"))
    var overrides: [String] = []

    @Flag(help: "Print the summary as JSON.")
    var json = false

    func run() async throws {
        let (folder, summary) = try await Quickstart.run(overrides: overrides)
        let console = Console.standard
        guard !json else { return StandardOutput.line(TaskResult.json(summary)) }
        console.line("")
        for answer in summary.answers {
            StandardOutput.line("问：\(answer.prompt)")
            StandardOutput.line("答：\(answer.text)\n")
        }
        let model = folder.appending(path: "sft").relativePath
        StandardOutput.line(
            """
            \(summary.parameters.formatted()) parameters, \(summary.tokensTrained.formatted()) tokens, \(Int(summary.seconds)) seconds. \
            Of \(summary.heldOutCount.formatted()) questions in phrasings never seen, \(String(format: "%.1f", 100 * summary.heldOutAccuracy)) % were answered right.

            Talk to it:  .build/release/yuyan chat --model \(model) --temperature 0
            """)
    }
}
