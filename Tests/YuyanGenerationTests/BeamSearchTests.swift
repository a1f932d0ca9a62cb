import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

/// Beam search against transformers' (`Fixtures/beams.py`), and what it promises beyond.
@Suite struct BeamSearchTests {
    struct Case: Decodable, CustomTestStringConvertible {
        struct Setting: Decodable {
            var numBeams: Int
            var lengthPenalty: Double?
            var earlyStopping: Bool?
            var repetitionPenalty: Double?
            var numReturnSequences: Int?
        }
        var model: String
        var prompt: [Int32]
        var ends: [Int32]
        var setting: Setting
        var answers: [[Int32]]

        var testDescription: String { "\(model) \(prompt) \(setting)" }
    }

    static let cases: [Case] = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let file = Golden.folder.appending(path: "beams.json")
        do { return try decoder.decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    @Engine private func answers(
        _ name: String, _ prompt: [Int32], _ change: (inout GenerationConfiguration) -> Void
    ) async throws -> [Completion] {
        let model = try loadModel(from: Golden.folder.appending(path: name))
        // Without a tokenizer the padded rows are banned by hand.
        let padded: [Int32] = name == "tiny-gpt2" ? try (Golden.load().vocabulary..<model.vocabularySize).map { Int32($0) } : []
        var configuration = GenerationConfiguration()
        (configuration.maxTokens, configuration.bannedTokens) = (20, padded)
        change(&configuration)
        return try await complete(model, tokenizer: nil, prompt: prompt, configuration: configuration)
    }

    @Test(arguments: cases) @Engine func findsWhatTransformersFinds(golden: Case) async throws {
        let found = try await answers(golden.model, golden.prompt) {
            ($0.beams, $0.samples, $0.stopTokens) = (golden.setting.numBeams, golden.setting.numReturnSequences ?? 1, golden.ends)
            ($0.lengthPenalty, $0.earlyStopping) = (golden.setting.lengthPenalty ?? 1, golden.setting.earlyStopping ?? false)
            $0.repetitionPenalty = golden.setting.repetitionPenalty ?? 1
        }
        #expect(found.map { $0.tokens.map(\.id) } == golden.answers)
        for answer in found {
            #expect(answer.finishReason == (golden.ends.contains(answer.tokens.last?.id ?? -1) ? .stop : .length))
        }
    }

    /// One group is the plain search; groups that are not kept apart say the same, those that are do not.
    @Test @Engine func groupsAvoidEachOther() async throws {
        func first(_ groups: Int, _ penalty: Double) async throws -> [[Int32]] {
            try await answers("tiny-gpt2", [5, 6, 7]) {
                ($0.beams, $0.samples, $0.maxTokens, $0.beamGroups, $0.diversityPenalty) = (4, 4, 6, groups, penalty)
            }.map { $0.tokens.map(\.id) }
        }
        let same = try await first(4, 0)
        #expect(Set(same).count == 1)
        #expect(try await same[0] == answers("tiny-gpt2", [5, 6, 7]) { ($0.temperature, $0.maxTokens) = (0, 6) }[0].tokens.map(\.id))
        #expect(Set(try await first(4, 100).map { $0[0] }).count == 4, "no two groups begin alike")
    }

    @Test @Engine func textStopsAndCancellation() async throws {
        let tiny = try Tiny()
        var configuration = GenerationConfiguration()
        (configuration.maxTokens, configuration.beams, configuration.samples, configuration.bannedTokens) = (24, 3, 3, tiny.golden.banned)
        let free = try await complete(tiny.model, tokenizer: tiny.tokenizer, prompt: tiny.golden.prompt, configuration: configuration)
        for answer in free { #expect(answer.text == tiny.tokenizer.decode(answer.tokens.map(\.id))) }
        let text = free[0].text
        configuration.stop = [String(text.dropFirst(4).prefix(2))]
        let stopped = try await complete(tiny.model, tokenizer: tiny.tokenizer, prompt: tiny.golden.prompt, configuration: configuration)
        #expect(stopped.allSatisfy { !$0.text.contains(configuration.stop[0]) } && stopped.contains { $0.finishReason == .stop })
        configuration.stop = []
        let rules = try SampleRules(tiny.model, tokenizer: tiny.tokenizer, configuration: configuration)
        let search = try BeamSearch(tiny.model, rules, prompt: tiny.golden.prompt)
        for _ in 0..<3 { #expect(try search.step(isCancelled: false) == []) }
        let events = try #require(try search.step(isCancelled: true))
        let ends = events.compactMap { if case .finished(_, let reason, let usage) = $0 { (reason, usage.completionTokens) } else { nil } }
        #expect(ends.count == 3 && ends.allSatisfy { $0 == (.cancelled, 3) })
        #expect(try search.step(isCancelled: false) == nil)
    }

    @Test(
        arguments: [
            ("beams must be at least 1, found 0", 0, 1, 1, 0), ("samples must be at most the 2 beams, found 3", 2, 3, 1, 0),
            ("beam_groups must divide the 4 beams, found 3", 4, 1, 3, 0), ("diversity_penalty must be 0 or above, found -1.0", 4, 1, 1, -1),
        ] as [(String, Int, Int, Int, Double)])
    func settingsThatCannotBeAreRefused(sentence: String, beams: Int, samples: Int, groups: Int, penalty: Double) {
        let configuration = GenerationConfiguration { ($0.beams, $0.samples, $0.beamGroups, $0.diversityPenalty) = (beams, samples, groups, penalty) }
        let error = #expect(throws: GenerationError.self) { try configuration.validate() }
        #expect(error?.description == sentence)
    }
}
