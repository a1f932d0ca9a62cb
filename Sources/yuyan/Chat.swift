import ArgumentParser
import Foundation
import YuyanGeneration
import YuyanModels
import YuyanRecipes
import YuyanTensor
import YuyanText

/// A conversation in the terminal, streaming.
struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talk to a model in the terminal.",
        discussion: """
            While it answers, Ctrl-C stops the answer; otherwise it ends the conversation.
            /reset begins anew, /system TEXT sets what the model is told first, /save FILE keeps the conversation as JSON, /exit ends.
            """)

    @Option(help: ArgumentHelp("The folder of a model, or of the run that made it.", valueName: "folder"))
    var model: String

    @Option(help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
    var system: String?

    @Option(
        help: ArgumentHelp(
            "The chat template, in place of the model's own: \(ChatTemplate.known.map(\.name).joined(separator: ", ")).", valueName: "name"))
    var template: String?

    @Option(help: ArgumentHelp("The most tokens of an answer.", valueName: "count"))
    var maxTokens = 256

    @Option(help: ArgumentHelp("0 takes the most probable token each time.", valueName: "number"))
    var temperature = 0.7

    @Option(help: ArgumentHelp("Draw from the k most probable tokens only; 0: all.", valueName: "count"))
    var topK = 0

    @Option(help: ArgumentHelp("Draw from the fewest tokens whose probabilities sum up to p.", valueName: "number"))
    var topP = 0.9

    @Option(help: ArgumentHelp("Draw from tokens at least this many times as probable as the most probable one.", valueName: "number"))
    var minP = 0.0

    @Option(help: ArgumentHelp("Above 1: tokens that were there before become less probable.", valueName: "number"))
    var repetitionPenalty = 1.0

    @Option(help: ArgumentHelp("Makes the answers repeatable.", valueName: "count"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("cpu, cuda or cuda:N.", valueName: "device"))
    var device = "cpu"

    @Option(help: ArgumentHelp("float32, bfloat16 or float16.", valueName: "precision"))
    var dtype: String?

    func run() async throws {
        var generation = GenerationConfiguration()
        (generation.maxTokens, generation.temperature, generation.topK, generation.topP) = (maxTokens, temperature, topK, topP)
        (generation.minP, generation.repetitionPenalty, generation.seed) = (minP, repetitionPenalty, seed)
        generation.overflow = .slide
        do { try generation.validate() } catch let error as GenerationError {
            throw RequestError("--\(error.key?.replacingOccurrences(of: "_", with: "-") ?? ""): \(error.problem)")
        }
        let compute = try ComputeSettings(device: device, dtype: dtype)
        try await converse(generation, compute)
    }

    @Engine private func converse(_ generation: GenerationConfiguration, _ compute: ComputeSettings) async throws {
        let (model, tokenizer, description) = try ModelFolder(InputPath(model)).loadPair(compute)
        var session = try ChatSession(
            tokenizer: tokenizer, template: template.map(ChatTemplate.named), contextLength: model.contextLength,
            endsPrompts: model is any EncoderDecoder, system: system)
        let console = Console.standard
        console.line(description, .faint)
        console.line("/reset  /system TEXT  /save FILE  /exit", .faint)
        while let line = Terminal.ask("你：") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            switch words.first {
            case nil: continue
            case "/exit", "/quit": return
            case "/reset":
                session.reset()
                console.line("a new conversation", .faint)
            case "/system":
                session.system = words.count > 1 ? words[1] : nil
                console.line(words.count > 1 ? "the model is told: \(words[1])" : "the model is told nothing first", .faint)
            case "/save":
                await report(console) { try save(session, to: words.count > 1 ? words[1] : "chat.json", console) }
            case let word? where word.hasPrefix("/"):
                console.warn("\(word) is no command; /reset, /system TEXT, /save FILE and /exit are")
            default:
                await report(console) { try await answer(line, &session, model, tokenizer, generation, console) }
            }
        }
    }

    /// An answer that cannot be given does not end the conversation.
    @Engine private func report(_ console: Console, _ work: () async throws -> Void) async {
        do { try await work() } catch { console.error(error) }
    }

    @Engine private func answer(
        _ question: String, _ session: inout ChatSession, _ model: any LanguageModel, _ tokenizer: Tokenizer, _ generation: GenerationConfiguration,
        _ console: Console
    ) async throws {
        let prompt = try session.ask(question, generation)
        if prompt.omittedMessages > 0 {
            console.line("the context is full: the model no longer sees the oldest \(prompt.omittedMessages) messages", .faint)
        }
        Interrupt.listen()
        defer { Interrupt.stopListening() }
        StandardOutput.write(console.styled("燕：", .green))
        var text = ""
        for try await event in try generate(model, tokenizer: tokenizer, prompt: prompt.tokens, configuration: prompt.configuration) {
            if case .text(_, let written) = event {
                let more = session.read(written)
                text += more
                StandardOutput.write(more)
            }
            if Interrupt.requested { break }
        }
        StandardOutput.line("")
        session.answer(text)
    }

    private func save(_ session: ChatSession, to path: String, _ console: Console) throws {
        struct Saved: Encodable { var messages: [Message] }
        let all = (session.system.map { [Message(role: "system", content: $0)] } ?? []) + session.messages
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes]
        try encoder.encode(Saved(messages: all)).write(to: URL(fileURLWithPath: path), options: .atomic)
        console.line("\(all.count) messages saved in \(path)", .faint)
    }
}

/// A person at the keyboard, or a pipe.
enum Terminal {
    /// A line of input; nil at its end.
    static func ask(_ prompt: String) -> String? {
        if isatty(0) == 1 { StandardOutput.write(prompt) }
        guard let line = readLine(strippingNewline: true) else {
            if isatty(0) == 1 { StandardOutput.line("") }
            return nil
        }
        return line.trimmingCharacters(in: .whitespaces)
    }
}
