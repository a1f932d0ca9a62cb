public import YuyanData
import YuyanGeneration
public import YuyanModels
import YuyanTensor
public import YuyanText

/// How many questions a model answers with the right fact.
public struct FactAccuracy: Sendable, Codable {
    /// One question with what was answered.
    public struct Answer: Sendable, Codable, Hashable {
        /// As it was asked.
        public var question: String
        /// What a right answer holds, to the letter.
        public var fact: String
        /// What the model said.
        public var answer: String
        /// Whether the answer holds the fact.
        public var isRight: Bool
        /// The table that the question comes from.
        public var table: String
    }

    /// In the order of the questions.
    public var answers: [Answer]
    /// Questions asked.
    public var count: Int { answers.count }
    /// Questions whose answer holds the fact.
    public var right: Int { answers.count(where: \.isRight) }
    /// The share of right answers.
    public var accuracy: Double { count == 0 ? 0 : Double(right) / Double(count) }
}

/// Asks each question as a conversation of its own and takes the most probable answer. An answer is right when it holds the fact literally.
///
/// - Parameters:
///   - template: nil: the tokenizer's own.
///   - maxTokens: where an answer is cut off.
///   - batch: questions that are answered together; they must have the same number of tokens.
///   - progress: is told how many of all questions are answered.
/// - Throws: `GenerationError`, `TokenizerError`, `TensorError.outOfMemory`; `CancellationError` when the task was cancelled.
@Engine public func factAccuracy(
    _ questions: [HeldOutQuestion], model: any LanguageModel, tokenizer: Tokenizer, template: ChatTemplate? = nil, maxTokens: Int = 64,
    batch: Int = 32,
    progress: (Int, Int) -> Void = { _, _ in }
) async throws -> FactAccuracy {
    let empty = try ChatSession(
        tokenizer: tokenizer, template: template, contextLength: model.contextLength, endsPrompts: model is any EncoderDecoder)
    var configuration = GenerationConfiguration.greedy(maxTokens: maxTokens)
    let prompts = try questions.map { question in
        var chat = empty
        let prompt = try chat.ask(question.question, .greedy(maxTokens: maxTokens))
        configuration = prompt.configuration
        return prompt.tokens
    }
    let completions = try await complete(
        model, tokenizer: tokenizer, prompts: prompts, configuration: configuration, batch: batch, progress: { progress($0, questions.count) })
    try Task.checkCancellation()
    return FactAccuracy(
        answers: zip(questions, completions).map { question, completions in
            let text = completions[0].text
            return .init(
                question: question.question, fact: question.fact, answer: text, isRight: holds(text, question.fact), table: question.table)
        })
}

/// By bytes: by `Character`, a combining mark after the fact would hide it.
private func holds(_ text: String, _ fact: String) -> Bool {
    let (text, fact) = (Array(text.utf8), Array(fact.utf8))
    guard !fact.isEmpty, text.count >= fact.count else { return fact.isEmpty }
    return (0...text.count - fact.count).contains { text[$0..<$0 + fact.count].elementsEqual(fact) }
}
