import Foundation
import YuyanData
public import YuyanGeneration
import YuyanModels
import YuyanTensor
import YuyanText

extension GenerationConfiguration: ConfigurationSection {
    public static let help = [
        "max_tokens": "the most tokens that are generated",
        "temperature": "divides the logits; 0 takes the most probable token each time",
        "top_k": "draw from the k most probable tokens only; 0: all",
        "top_p": "draw from the fewest tokens whose probabilities sum up to p",
        "min_p": "draw from tokens at least this many times as probable as the most probable one",
        "repetition_penalty": "above 1: tokens that were there before become less probable",
        "seed": "makes the answer repeatable",
        "samples": "answers for each prompt",
        "beams": "answers followed at once, of which the most probable as a whole is given; 1: none but the one that is drawn",
        "length_penalty": "above 0, beam search favours long answers",
        "early_stopping": "beam search ends as soon as as many answers are finished as there are beams",
        "beam_groups": "groups of beams, each of which avoids what those before it say",
        "diversity_penalty": "what a token loses for each beam of an earlier group that has it at this place",
        "stop": "texts that end the answer",
        "stop_tokens": "token ids that end the answer",
        "banned_tokens": "token ids that are never generated",
        "regex": "a regular expression that the whole answer matches",
        "json_schema": "a JSON schema, or a file that holds one: the answer is a document of it",
        "draft_tokens": "tokens that the draft model or the look-up guesses ahead",
        "prompt_lookup": "guess tokens from what stood behind the same words before: faster where text repeats itself, distributed as without",
        "top_logprobs": "most probable tokens reported beside each one",
        "overflow": "at the end of the context: stop (error), read half again (slide), or keep the first and the most recent tokens",
        "cache": "keys and values of past tokens: as the model computes them, or in 8 bits, which takes about half the memory",
    ]

    /// Checks the values; what is wrong is told with its key.
    func check() throws {
        do { try validate() } catch let error as GenerationError { throw InvalidValue(error.key ?? "", error.problem) }
    }
}

/// Continue prompts.
public struct GenerateTask: ModelTask {
    /// What is continued by what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or of the run that made it",
            "prompt": "texts to continue",
            "chat": "put each prompt into the model's chat template as a question",
            "template": "the chat template, in place of the model's own: \(ChatTemplate.known.map(\.name).joined(separator: ", "))",
            "system": "what the model is told before the question",
            "knowledge": "files of passages to answer from, the best first: records, or texts whose paragraphs are passages",
            "draft_model": "the folder of a small model with the same tokenizer that guesses ahead: faster, and answers are distributed as without",
            "greedy": "the most probable token each time: the same as temperature 0",
        ]

        public var model = InputPath("")
        public var prompt: [String] = []
        public var chat = false
        public var template: String?
        public var system: String?
        public var knowledge: [InputPath] = []
        public var draftModel: InputPath?
        public var greedy = false

        public init() {}
    }

    public static let task = "generate"
    public static let summary = "Continue a prompt"
    public static let required = ["model", "prompt"]
    public static let positional: String? = "prompt"
    public static let writesFiles = false

    public var subject = Subject()
    public var settings = GenerationConfiguration()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try resolved().check()
        try compute.validate()
        if subject.greedy, settings.temperature != 0, settings.temperature != GenerationConfiguration().temperature {
            throw InvalidValue("greedy", "greedy and temperature \(settings.temperature) cannot both be given; leave one out")
        }
        if subject.draftModel != nil, settings.promptLookup || settings.beams > 1 {
            let other = settings.promptLookup ? "prompt_lookup" : "beams"
            throw InvalidValue("draft_model", "draft_model and \(other) do not go together; leave one out")
        }
    }

    /// The settings with the schema itself in place of its file.
    private func resolved() throws -> GenerationConfiguration {
        var settings = settings
        if let schema = settings.jsonSchema?.trimmingCharacters(in: .whitespacesAndNewlines), !schema.hasPrefix("{"), schema != "true" {
            do { settings.jsonSchema = try String(contentsOf: InputPath(schema).url, encoding: .utf8) } catch {
                throw InvalidValue("json_schema", "\(schema) is neither a schema (an object) nor a file that can be read as UTF-8")
            }
        }
        return settings
    }

    /// One answer; for a person, the prompt and what came after it.
    public struct Answer: Encodable, Sendable, CustomStringConvertible {
        var prompt: String
        var text: String
        var tokens: [Int32]
        var logprobs: [Float]
        var finishReason: FinishReason
        var tokensPerSecond: Double
        /// For each token the most probable ones at its place, where `top_logprobs` asked for them.
        var topLogprobs: [[GeneratedToken.Alternative]]?
        private var isChat = false

        enum CodingKeys: CodingKey {
            case prompt, text, tokens, logprobs, finishReason, tokensPerSecond, topLogprobs
        }

        init(prompt: String, _ completion: Completion, isChat: Bool, tokensPerSecond: Double) {
            (self.prompt, text, finishReason) = (prompt, completion.text, completion.finishReason)
            (tokens, logprobs) = (completion.tokens.map(\.id), completion.tokens.map(\.logprob))
            if completion.tokens.contains(where: { !$0.alternatives.isEmpty }) { topLogprobs = completion.tokens.map(\.alternatives) }
            (self.isChat, self.tokensPerSecond) = (isChat, tokensPerSecond)
        }

        public var description: String { isChat ? "\(prompt)\n→ \(text)" : prompt + text }
    }

    public func run(in stage: StageContext) async throws -> [Answer] {
        try await generate(stage)
    }

    /// What only a conversation has makes it one.
    private var isChat: Bool { subject.chat || subject.template != nil || subject.system != nil || !subject.knowledge.isEmpty }

    /// Each record of the knowledge is a passage, and each paragraph of a text.
    private func passages() throws -> [String] {
        guard !subject.knowledge.isEmpty else { return [] }
        var reader = try RecordReader(subject.knowledge.map(\.url.path))
        var passages: [String] = []
        while let record = try reader.next() {
            let text = record.text
            let isPlain = ["txt", "md"].contains(URL(fileURLWithPath: record.source).pathExtension)
            passages += isPlain ? text.split(separator: "\n\n").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } : [text]
        }
        return passages.filter { !$0.isEmpty }
    }

    @Engine private func generate(_ stage: StageContext) async throws -> [Answer] {
        let (model, tokenizer, description) = try ModelFolder(subject.model).loadPair(compute)
        stage.console.line(description)
        let template = try subject.template.map(ChatTemplate.named)
        let passages = try passages()
        let draft = try subject.draftModel.map { try ModelFolder($0).loadPair(compute) }
        if let draft, draft.tokenizer.fingerprint != tokenizer.fingerprint {
            throw RequestError("the draft model \(subject.draftModel?.path ?? "") has another tokenizer than the model; both must have the same")
        }
        var configuration = try resolved()
        if subject.greedy { configuration.temperature = 0 }
        let clock = ContinuousClock()
        var answers: [Answer] = []
        for prompt in subject.prompt {
            var tokens = tokenizer.encode(prompt, addingSpecialTokens: false)
            var own = configuration
            if isChat {
                var session = try ChatSession(
                    tokenizer: tokenizer, template: template, contextLength: model.contextLength, endsPrompts: model is any EncoderDecoder,
                    system: subject.system)
                let asked = try session.ask(prompt, knowledge: passages, configuration)
                if asked.omittedPassages > 0 {
                    stage.console.warn("\(asked.omittedPassages) of \(passages.count) passages do not fit the context beside the question")
                }
                (tokens, own) = (asked.tokens, asked.configuration)
                own.samples = configuration.samples
            } else if model is any EncoderDecoder {
                // A source ends with the end of a text.
                if let eos = tokenizer.special.eos { tokens.append(eos) }
            } else if let bos = tokenizer.leadingBOS {
                tokens.insert(bos, at: 0)
            }
            guard !tokens.isEmpty else { throw RequestError("the prompt \"\(prompt)\" holds no token to begin with; give at least one character") }
            let begin = clock.now
            let completions = try await complete(model, tokenizer: tokenizer, prompt: tokens, configuration: own, draft: draft?.model)
            let seconds = (clock.now - begin) / .seconds(1)
            let made = completions.reduce(0) { $0 + $1.tokens.count }
            answers += completions.map {
                var completion = $0
                if isChat, let template = template ?? tokenizer.chatTemplate { completion.text = template.read(completion.text) }
                return Answer(prompt: prompt, completion, isChat: isChat, tokensPerSecond: Double(made) / seconds)
            }
        }
        return answers
    }
}
