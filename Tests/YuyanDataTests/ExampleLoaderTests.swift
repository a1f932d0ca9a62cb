import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct ExampleLoaderTests {
    let tokenizer: Tokenizer
    let conversations: [Conversation]

    init() throws {
        tokenizer = try byteTokenizer()
        var random = SeededRandom(seed: 5)
        conversations = (0..<150).map { number in
            let turns = (0..<random.number(in: 1...3)).flatMap { _ in
                [
                    Message(role: "user", content: String(repeating: "q", count: random.number(in: 1...9))),
                    Message(role: "assistant", content: "\(number)" + String(repeating: "a", count: random.number(in: 0...9))),
                ]
            }
            return Conversation(id: "\(number)", messages: turns, source: "test")
        }
    }

    private func loader(
        _ conversations: [Conversation]? = nil, sequenceLength: Int = 100, batchSize: Int = 4, seed: UInt64 = 3, shuffled: Bool = true,
        epochs: Int? = nil,
        rank: Int = 0, worldSize: Int = 1
    ) throws -> ExampleLoader {
        try ExampleLoader(
            (conversations ?? self.conversations).map(Record.conversation), tokenizer: tokenizer, sequenceLength: sequenceLength,
            batchSize: batchSize, seed: seed,
            shuffled: shuffled, epochs: epochs, rank: rank, worldSize: worldSize)
    }

    private func batches(_ loader: ExampleLoader) throws -> [Batch] {
        var loader = loader
        var batches: [Batch] = []
        while let batch = try loader.next() { batches.append(batch) }
        return batches
    }

    /// What one conversation should look like, straight from the definition.
    private func expected(_ conversation: Conversation) throws -> [[Int32]] {
        let (ids, answer) = try ChatTemplate.yuyan.encode(conversation.messages, with: tokenizer, addingGenerationPrompt: false)
        return (0..<ids.count - 1).map { [ids[$0], answer[$0 + 1] ? ids[$0 + 1] : Batch.ignored] }
    }

    @Test func eachConversationIsWholeAndAloneOncePerEpoch() throws {
        var found: [[[Int32]]] = []
        var labelCount = 0
        for batch in try batches(loader(epochs: 1)) {
            let documents = try #require(batch.documents)
            let positions = try #require(batch.positions)
            for row in 0..<batch.rows {
                var last: Int32 = -1
                for index in row * 100..<(row + 1) * 100 {
                    guard documents[index] >= 0 else {
                        #expect(batch.inputs[index] == tokenizer.special.pad && batch.labels[index] == Batch.ignored)
                        last = .max  // padding only at the end of a row
                        continue
                    }
                    if documents[index] != last {
                        #expect(documents[index] == last + 1)
                        last = documents[index]
                        found.append([])
                    }
                    #expect(Int(positions[index]) == found[found.count - 1].count)
                    found[found.count - 1].append([batch.inputs[index], batch.labels[index]])
                }
            }
            labelCount += batch.labelCount
            #expect(batch.labelCount == batch.labels.count { $0 != Batch.ignored })
        }
        #expect(Set(found) == Set(try conversations.map(expected)))
        #expect(found.count == conversations.count)
        let report = try loader().report
        #expect(report.answerTokens == labelCount)
        #expect(report.tokens == found.map(\.count).reduce(0, +))
        #expect(report.truncated + report.tooLong + report.withoutAnswer == 0)
    }

    @Test func theEndOfTurnIsLearnt() throws {
        let conversation = Conversation(id: "", question: "问", answer: "A", source: "")
        let batch = try #require(batches(loader([conversation], sequenceLength: 20, epochs: 1)).first)
        let end = try #require(tokenizer.id(of: "<|end|>"))
        #expect(batch.labels.filter { $0 != Batch.ignored } == [Int32(UInt8(ascii: "A")), end])
    }

    @Test func packingIsTight() throws {
        let report = try loader().report
        let lowest = (report.tokens + 99) / 100
        #expect(report.rows <= lowest + 1)
    }

    @Test func epochsDifferInOrderButNotInRows() throws {
        let source = try loader(epochs: 2)
        var first = source
        var inputs: [[Int32]] = []
        while let batch = try first.next() { inputs.append(batch.inputs) }
        let rows = inputs.flatMap { batch in stride(from: 0, to: batch.count, by: 100).map { Array(batch[$0..<$0 + 100]) } }
        #expect(rows.count == 2 * source.rowsPerEpoch)
        let (one, two) = (rows.prefix(source.rowsPerEpoch), rows.suffix(source.rowsPerEpoch))
        #expect(one != two)
        #expect(Set(one) != Set(two))
        #expect(one.joined().sorted() == two.joined().sorted())
    }

    @Test func aStateGoesOnExactlyWhateverTheRanks() throws {
        var whole = try loader(batchSize: 6)
        let all = try (0..<40).map { _ in try nextBatch(&whole) }
        #expect(whole.state.epoch > 3)
        for stop in [0, 3, 11, 25, 39] {
            var begun = try loader(batchSize: 3, rank: 0, worldSize: 2)
            for _ in 0..<stop { _ = try begun.next() }
            let saved = try JSONDecoder().decode(LoaderState.self, from: JSONEncoder().encode(begun.state))
            var one = try loader(batchSize: 6)
            one.state = saved
            #expect(try (stop..<40).map { _ in try nextBatch(&one) } == Array(all[stop...]))
            var last = try loader(batchSize: 2, rank: 2, worldSize: 3)
            last.state = saved
            #expect(try nextBatch(&last).inputs == Array(all[stop].inputs[400...]))
        }
        var other = try loader(Array(conversations.dropLast()), batchSize: 6)
        other.state = whole.state
        #expect(errorSentence { _ = try nextBatch(&other) }.contains("other data"))
    }

    @Test func longConversationsEndAfterAnAnswer() throws {
        // 4 + 4 tokens for the first pair, as many for the second: <|user|> q q <|end|> <|assistant|> a a <|end|>.
        let pair = [Message(role: "user", content: "qq"), Message(role: "assistant", content: "aa")]
        let long = Conversation(id: "long", messages: pair + pair + [Message(role: "user", content: "qq")], source: "")
        let silent = Conversation(id: "silent", messages: [Message(role: "user", content: "q")], source: "")
        for (sequenceLength, kept, cut) in [
            (30, 15, [0, 0]), (15, 15, [0, 0]), (14, 7, [1, 0]), (7, 7, [1, 0]), (6, 0, [0, 1]),
        ] {
            let short = Conversation(id: "short", question: "", answer: "a", source: "")
            let loader = try loader([long, silent, short], sequenceLength: sequenceLength, epochs: 1)
            #expect([loader.report.truncated, loader.report.tooLong] == cut, "length \(sequenceLength)")
            #expect(loader.report.withoutAnswer == 1)
            #expect(loader.report.examples == 3)
            #expect(loader.report.tokens == kept + 4)
        }
        #expect(
            errorSentence { _ = try loader([long, silent], sequenceLength: 6) }
                == "none of the 2 examples can be learnt from: 1 have no answer, and 1 have none that ends within 6 tokens")
    }

    /// A pair is learnt on its target and the end of the text alone, a text whole, in pieces where it is long.
    @Test func pairsAndTextsAreLearntAsTheyStand() throws {
        let end = try #require(tokenizer.special.eos)
        func letters(_ text: String) -> [Int32] { tokenizer.encode(text) }
        func only(_ record: Record, _ length: Int) throws -> (batches: [Batch], report: ExampleReport) {
            var source = try ExampleLoader([record], tokenizer: tokenizer, sequenceLength: length, batchSize: 1, seed: 1, shuffled: false, epochs: 1)
            var batches: [Batch] = []
            while let batch = try source.next() { batches.append(batch) }
            return (batches, source.report)
        }
        let pair = Record.pair(Pair(id: "1", input: "abcde", target: "xy", source: ""))
        let whole = try only(pair, 10)
        #expect(whole.batches[0].inputs.prefix(7) == letters("abcdexy")[...])
        #expect(whole.batches[0].labels.filter { $0 != Batch.ignored } == letters("xy") + [end] && whole.report.truncated == 0)
        let short = try only(pair, 4)
        #expect(short.batches[0].inputs == letters("abxy") && short.report.truncated == 1)
        #expect(errorSentence { _ = try only(pair, 1) }.hasPrefix("none of the 1 examples can be learnt from"))
        let text = try only(.document(Document(id: "1", text: "abcdefgh", source: "")), 4)
        let labels = text.batches.map { $0.labels.filter { $0 != Batch.ignored } }
        #expect(labels.sorted { $0.count > $1.count } == [letters("bcde"), letters("gh") + [end]])
    }

    @Test func withoutShufflingTheOrderIsFixed() throws {
        let one = try batches(loader(seed: 1, shuffled: false, epochs: 1))
        let two = try batches(loader(seed: 2, shuffled: false, epochs: 1))
        #expect(one == two)
    }

    /// What earlier versions saved and dealt out: a run that was begun with them goes on with the same rows.
    @Test(arguments: [(true, 10_099_051_735_705_085_764 as UInt64), (false, 14_610_115_575_512_424_980)])
    func savedPositionsStayGood(shuffled: Bool, rows: UInt64) throws {
        let source = try loader(batchSize: 5, shuffled: shuffled, epochs: 3)
        #expect(source.state == LoaderState(seed: 3, position: 0, rowsPerEpoch: 48, dataIdentity: 5_142_183_991_584_499_237))
        let found = try checksum(batches(source))
        #expect(found == rows)
    }

    @Test func aTemplateThatTheTokenizerLacksIsNamed() throws {
        let template = ChatTemplate(open: "<|im_{role}|>", close: "<|im_end|>", stop: [])
        #expect(
            errorSentence {
                _ = try ExampleLoader(
                    conversations.map(Record.conversation), tokenizer: tokenizer, template: template, sequenceLength: 50, batchSize: 1, seed: 0)
            }.hasPrefix("0: the conversation cannot be encoded: "))
    }
}

@Suite struct BestFitPackingTests {
    @Test func rowsHoldEveryItemOnceAndNoMoreThanFits() {
        var random = SeededRandom(seed: 2)
        for capacity in [1, 63, 64, 65, 500] {
            let lengths = (0..<400).map { _ in random.number(in: 1...capacity) }
            var order = lengths.indices.map { Int32($0) }
            random.shuffle(&order)
            let packed = PackedRows(lengths: lengths, capacity: capacity, order: order)
            let rows = (0..<packed.count).map { Array(packed[$0]) }
            #expect(rows.joined().sorted() == order.sorted())
            #expect(rows.allSatisfy { $0.map { lengths[Int($0)] }.reduce(0, +) <= capacity })
            // Best-fit decreasing needs at most 11/9 of the fewest rows possible, and one more.
            let total = lengths.reduce(0, +)
            #expect(packed.count <= max(lengths.count { 2 * $0 > capacity }, (total + capacity - 1) / capacity) * 11 / 9 + 1)
        }
    }

    @Test func theBestFitIsTaken() {
        // 6 and 5 open rows with 4 and 5 left; 4 fits best beside 6, then 5 beside 5.
        let packed = PackedRows(lengths: [6, 5, 4, 5], capacity: 10, order: [0, 1, 2, 3])
        #expect((0..<packed.count).map { Set(packed[$0]) } == [[0, 2], [1, 3]])
    }
}

@Suite struct RecordSplitTests {
    @Test func theSplitIsByTextAndHoldsOneBackAtLeast() {
        let all = (0..<500).map { Record.conversation(Conversation(id: "\($0)", question: "问\($0 % 400)", answer: "答", source: "")) }
        let (train, validation) = split(all, validationFraction: 0.1)
        #expect(train.count + validation.count == 500)
        #expect((20...100).contains(validation.count))
        #expect(Set(train.map(\.text)).isDisjoint(with: validation.map(\.text)))
        #expect(Set(split(all.reversed(), validationFraction: 0.1).validation) == Set(validation))
        #expect(split(Array(all.prefix(2)), validationFraction: 0.0001).validation.count == 1)
        #expect(split(all, validationFraction: 0).validation.isEmpty)
    }

    @Test(arguments: [1e-9, 0.5, 0.99]) func somethingIsAlwaysLeftToLearnFrom(fraction: Double) {
        func texts(_ texts: [String]) -> [Record] { texts.map { .document(Document(id: "", text: $0, source: "")) } }
        for number in 0..<40 {
            let copies = split(texts(["第\(number)篇", "第\(number)篇"]), validationFraction: fraction)
            #expect(copies.train.count == 2 && copies.validation.isEmpty)
            let different = split(texts(["第\(number)篇", "另\(number)篇"]), validationFraction: fraction)
            #expect(different.train.count == 1 && different.validation.count == 1)
        }
        #expect(split([] as [Record], validationFraction: fraction).train.isEmpty)
    }
}
