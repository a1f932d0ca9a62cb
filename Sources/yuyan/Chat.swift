public import ArgumentParser
import Foundation
public import YuyanGeneration
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

    @Flag(help: "Go on beyond the context without reading anything again: the model sees the system message and the most recent words.")
    var endless = false

    @Option(help: ArgumentHelp("Keep what was computed here, so that the next start need not read the same again.", valueName: "file"))
    var prefixes: String?

    @Option(
        help: ArgumentHelp(
            "Keep keys and values as the model computes them, or in 8 bits, which takes about half the memory.", valueName: "precision"))
    var cache = KVCache.Precision.model

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
        (generation.overflow, generation.cache) = (endless ? .endless : .slide, cache)
        if endless, prefixes != nil { throw RequestError("--prefixes keeps how texts begin, which --endless forgets; leave one of them out") }
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
        var memory = try Memory(model, session, isEndless: endless, cache)
        let file = prefixes.map { URL(fileURLWithPath: $0) }
        if let file, FileManager.default.fileExists(atPath: file.path) { try memory.prefixes?.load(from: file, tokenizer: tokenizer) }
        console.line("/reset  /system TEXT  /save FILE  /exit", .faint)
        conversation: while let line = Terminal.ask("你：") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            switch words.first {
            case nil: continue
            case "/exit", "/quit": break conversation
            case "/reset":
                session.reset()
                if endless { memory = try Memory(model, session, isEndless: true, cache) }
                console.line("a new conversation", .faint)
            case "/system":
                session.system = words.count > 1 ? words[1] : nil
                if endless {
                    session.reset()
                    memory = try Memory(model, session, isEndless: true, cache)
                    console.line("a new conversation", .faint)
                }
                console.line(words.count > 1 ? "the model is told: \(words[1])" : "the model is told nothing first", .faint)
            case "/save":
                await report(console) { try save(session, to: words.count > 1 ? words[1] : "chat.json", console) }
            case let word? where word.hasPrefix("/"):
                console.warn("\(word) is no command; /reset, /system TEXT, /save FILE and /exit are")
            default:
                await report(console) { try await answer(line, &session, memory, model, tokenizer, generation, console) }
            }
        }
        if let file { try memory.prefixes?.save(to: file, tokenizer: tokenizer) }
    }

    /// An answer that cannot be given does not end the conversation.
    @Engine private func report(_ console: Console, _ work: () async throws -> Void) async {
        do { try await work() } catch { console.error(error) }
    }

    @Engine private func answer(
        _ question: String, _ session: inout ChatSession, _ memory: Memory, _ model: any LanguageModel, _ tokenizer: Tokenizer,
        _ generation: GenerationConfiguration, _ console: Console
    ) async throws {
        let prompt = try memory.text == nil ? session.ask(question, generation) : session.followUp(question, generation)
        if prompt.omittedMessages > 0 {
            console.line("the context is full: the model no longer sees the oldest \(prompt.omittedMessages) messages", .faint)
        }
        Interrupt.listen()
        defer { Interrupt.stopListening() }
        StandardOutput.write(console.styled("燕：", .green))
        var text = ""
        let events = try generate(
            model, tokenizer: tokenizer, prompt: prompt.tokens, configuration: prompt.configuration, text: memory.text, prefixes: memory.prefixes)
        for try await event in events {
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

extension KVCache.Precision: ExpressibleByArgument {}

/// What of a conversation need not be read again: all of it as a text that goes on, or how its next prompt begins.
@Engine private struct Memory {
    var text: EndlessText?
    var prefixes: PrefixCache?

    init(_ model: any LanguageModel, _ session: ChatSession, isEndless: Bool, _ precision: KVCache.Precision) throws {
        if isEndless {
            text = try EndlessText(for: model, sinks: max(4, session.systemTokens()), precision: precision)
        } else if !(model is any EncoderDecoder) {
            prefixes = try PrefixCache(for: model, precision: precision)
        }
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
