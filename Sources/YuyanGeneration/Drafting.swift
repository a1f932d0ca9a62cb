import YuyanModels
import YuyanTensor

/// A guess at a token.
struct Draft: Sendable {
    var id: Int32
    /// What it was drawn from; nil: it was not drawn, but certain.
    var candidates: [Sampler.Candidate]?
}

/// Where guesses at the next tokens of one text come from.
@Engine protocol Drafting: AnyObject {
    /// At most `count` tokens that may follow a text.
    func drafts(_ count: Int, behind row: [Int32], _ state: SampleState) throws -> [Draft]
    /// What has become of them: the first `kept` are part of the text, and a token has come behind.
    func goOn(keeping kept: Int, newest: Int32)
}

/// What stood behind the last place at which the text was as it ends now (Saxena 2023, "Prompt Lookup Decoding").
@Engine final class LookupDrafting: Drafting {
    /// What stands before the text.
    private let source: [Int32]

    init(source: [Int32]) { self.source = source }

    func drafts(_ count: Int, behind row: [Int32], _ state: SampleState) -> [Draft] {
        let text = source + row
        for length in [3, 2] where text.count > length {
            let end = text[(text.count - length)...]
            let starts = (0..<text.count - length).reversed()
            if let start = starts.first(where: { text[$0..<$0 + length] == end }) {
                return text[(start + length)...].prefix(count).map { Draft(id: $0) }
            }
        }
        return []
    }

    func goOn(keeping kept: Int, newest: Int32) {}
}

/// What a small model writes.
@Engine final class ModelDrafting: Drafting {
    private let stepper: TokenStepper
    private let most: Int
    private var drafted = 0
    private var random: RandomStream

    /// - Parameters:
    ///   - row: what the text begins with.
    ///   - random: independent of the sample's own.
    init(_ model: any LanguageModel, prompt: [Int32], rules: SampleRules, random: RandomStream) throws {
        let prompt = try fitted(prompt, to: model.contextLength, vocabulary: rules.vocabulary, .slide)
        stepper = try TokenStepper(
            model, vocabulary: rules.vocabulary, prompts: [prompt], room: prompt.count + min(rules.configuration.maxTokens, 64),
            precision: rules.configuration.cache)
        // No more than a window that has slid holds.
        most = max(1, model.contextLength / 2)
        self.random = random
    }

    func drafts(_ count: Int, behind row: [Int32], _ state: SampleState) throws -> [Draft] {
        var (ahead, drafts) = (state, [Draft]())
        while drafts.count < min(count, most), !ahead.isOver {
            let draft = try stepper.logits().withRow(0) { logits, _ in ahead.draft(logits, &random) }
            stepper.append([draft.id])
            drafts.append(draft)
        }
        drafted = drafts.count
        return drafts
    }

    func goOn(keeping kept: Int, newest: Int32) {
        stepper.drop(drafted - kept)
        stepper.append([newest])
        drafted = 0
    }
}
