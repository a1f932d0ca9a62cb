import Testing
import YuyanText

@testable import YuyanData

@Suite struct ExchangeLoaderTests {
    let tokenizer: Tokenizer
    let records: [Record]

    init() throws {
        tokenizer = try byteTokenizer()
        var random = SeededRandom(seed: 4)
        records = (0..<130).map { number in
            let input = String(repeating: "q", count: random.number(in: 1...30)) + "\(number)"
            return .pair(
                Pair(id: "\(number)", input: input, target: "\(number)" + String(repeating: "a", count: random.number(in: 0...20)), source: ""))
        }
    }

    private func loader(
        _ records: [Record]? = nil, lengths: (Int, Int) = (64, 64), batchSize: Int = 8, seed: UInt64 = 1, shuffled: Bool = true, epochs: Int? = 1,
        rank: Int = 0, worldSize: Int = 1
    ) throws -> ExchangeLoader {
        try ExchangeLoader(
            records ?? self.records, tokenizer: tokenizer, template: .belle, sourceLength: lengths.0, targetLength: lengths.1, decoderStart: 7,
            batchSize: batchSize, seed: seed, shuffled: shuffled, epochs: epochs, rank: rank, worldSize: worldSize)
    }

    /// Source and target of each row, and whether inputs, labels and lengths are what they should be.
    private func rows(_ loader: ExchangeLoader) throws -> [[[Int32]]] {
        var (loader, rows) = (loader, [[[Int32]]]())
        while let batch = try loader.next() {
            let source = try #require(batch.source)
            for row in 0..<batch.rows {
                let from = source.tokens[row * source.columns..<(row + 1) * source.columns]
                let labels = batch.labels[row * batch.columns..<(row + 1) * batch.columns].prefix { $0 != Batch.ignored }
                #expect(from.dropFirst(source.lengths[row]).allSatisfy { $0 == tokenizer.special.pad })
                #expect(batch.inputs[row * batch.columns..<(row + 1) * batch.columns].prefix(labels.count) == [7] + labels.dropLast())
                rows.append([Array(from.prefix(source.lengths[row])), Array(labels)])
            }
            #expect(batch.labelCount == batch.labels.count { $0 != Batch.ignored })
        }
        return rows
    }

    @Test func eachPairComesOncePerEpochEachHalfWithItsEnd() throws {
        let end = try #require(tokenizer.special.eos)
        let expected = records.map { record -> [[Int32]] in
            guard case .pair(let pair) = record else { return [] }
            return [tokenizer.encode(pair.input) + [end], tokenizer.encode(pair.target) + [end]]
        }
        let (one, other) = (try rows(loader()), try rows(loader(seed: 2)))
        #expect(Set(one) == Set(expected) && one.count == expected.count)
        #expect(Set(other) == Set(expected) && other != one)
        let two = try rows(loader(epochs: 2))
        #expect(Array(two.prefix(130)) == one && Set(two.suffix(130)) == Set(expected) && Array(two.suffix(130)) != one)
        #expect(try loader().report.answerTokens == expected.reduce(0) { $0 + $1[1].count })
    }

    @Test func theEndsOfLongHalvesAreCut() throws {
        let end = try #require(tokenizer.special.eos)
        let long = Record.pair(Pair(id: "", input: "abcdefgh", target: "uvwxyz", source: ""))
        let cut = try rows(loader([long], lengths: (4, 3)))
        #expect(cut == [[tokenizer.encode("abc") + [end], tokenizer.encode("uv") + [end]]])
        #expect(try loader([long], lengths: (4, 3)).report.truncated == 1 && loader([long]).report.truncated == 0)
    }

    @Test func eachAnswerOfAConversationIsATarget() throws {
        let turns = [("user", "一"), ("assistant", "二"), ("user", "三"), ("assistant", "四")].map { Message(role: $0.0, content: $0.1) }
        let found = try rows(loader([.conversation(Conversation(id: "", messages: turns, source: ""))], shuffled: false))
        let end = try #require(tokenizer.special.eos)
        func source(_ text: String) -> [Int32] { tokenizer.encode(text) + [end] }
        #expect(found[0] == [source("Human: 一\n\nAssistant: "), source("二")])
        // What an earlier answer ended with stands between.
        let second = try ChatTemplate.belle.encode(Array(turns.prefix(3)), with: tokenizer, addingGenerationPrompt: true).ids + [end]
        #expect(found[1] == [second, source("四")])
    }

    @Test func aStateGoesOnExactlyWhateverTheRanks() throws {
        var whole = try loader(batchSize: 12, epochs: nil)
        let all = try (0..<30).map { _ in try #require(try whole.next()) }
        for stop in [0, 7, 22] {
            var begun = try loader(batchSize: 6, epochs: nil, worldSize: 2)
            for _ in 0..<stop { _ = try begun.next() }
            var again = try loader(batchSize: 12, epochs: nil)
            again.state = begun.state
            for batch in all[stop...] { #expect(try again.next() == batch) }
        }
    }

    /// Rows of a batch have about one length: little is padded.
    @Test func littleIsPadded() throws {
        var (source, tokens, places) = (try loader(batchSize: 16), 0, 0)
        while let batch = try source.next() {
            tokens += batch.labelCount + (batch.source?.lengths.reduce(0, +) ?? 0)
            places += batch.tokenCount
        }
        #expect(Double(tokens) / Double(places) > 0.6)
    }

    @Test func runningTextIsRefused() throws {
        let text = Record.document(Document(id: "a.txt", text: "文", source: "a.txt"))
        #expect(errorSentence { _ = try loader([text]) }.contains("needs pairs; make some with yuyan data shape"))
    }
}
