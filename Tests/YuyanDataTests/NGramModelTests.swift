import Foundation
import Testing

@testable import YuyanData

/// Interpolated modified Kneser–Ney smoothing as Chen and Goodman (1999) write it down: dictionaries, recursion, Double.
private struct PlainModel {
    let order: Int
    let vocabulary: [UInt16]
    /// How often an n-gram was seen, and its count as the smoothing takes it.
    var seen: [[UInt16]: Int] = [:]
    var counts: [[UInt16]: Int] = [:]
    var discounts: [[Double]] = []
    let minimum: (Int) -> Int
    /// By history: the n-grams that go on from it.
    var continuations: [[UInt16]: [[UInt16]]] = [:]

    init(_ lines: [[UInt16]], order: Int, vocabulary: [UInt16], minimum: @escaping (Int) -> Int) {
        (self.order, self.vocabulary, self.minimum) = (order, vocabulary, minimum)
        var predecessors: [[UInt16]: Set<UInt16>] = [:]
        for line in lines {
            let symbols = [1] + line + [2]
            for last in symbols.indices.dropFirst() {
                for length in 1...min(order, last + 1) {
                    let ngram = Array(symbols[last - length + 1...last])
                    seen[ngram, default: 0] += 1
                    if last - length >= 0 { predecessors[ngram, default: []].insert(symbols[last - length]) }
                }
            }
        }
        for (ngram, count) in seen { counts[ngram] = ngram.count == order || ngram[0] == 1 ? count : predecessors[ngram]?.count ?? 0 }
        for length in 1...order {
            let counts = self.counts.filter { $0.key.count == length }.map(\.value)
            let n = (0...4).map { count in Double(counts.count { $0 == count }) }
            let y = n[1] / (n[1] + 2 * n[2])
            let found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
            discounts.append(found.indices.allSatisfy { found[$0] > 0 && found[$0] <= Double($0 + 1) } ? found : [0.5, 1, 1.5])
        }
        for ngram in counts.keys { continuations[Array(ngram.dropLast()), default: []].append(ngram) }
    }

    private func discount(_ ngram: [UInt16]) -> Double {
        let count = counts[ngram] ?? 0
        return count == 0 ? 0 : discounts[ngram.count - 1][min(count, 3) - 1]
    }

    private func isKept(_ ngram: [UInt16]) -> Bool { (seen[ngram] ?? 0) >= minimum(ngram.count) }

    func probability(of symbol: UInt16, after history: [UInt16]) -> Double {
        let history = Array(history.suffix(order - 1))
        let ngram = history + [symbol]
        let lower = history.isEmpty ? 1 / Double(vocabulary.count) : probability(of: symbol, after: Array(history.dropFirst()))
        let all = continuations[history] ?? []
        guard !all.isEmpty else { return lower }
        let total = all.reduce(0.0) { $0 + Double(counts[$1] ?? 0) }
        let rest = all.reduce(0.0) { $0 + (isKept($1) ? discount($1) : Double(counts[$1] ?? 0)) } / total
        let own = isKept(ngram) ? (Double(counts[ngram] ?? 0) - discount(ngram)) / total : 0
        return own + rest * lower
    }
}

/// Lines in which some characters follow others more often than by chance.
private func corpus(lines: Int, alphabet: Int, seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    let letters = Array("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往😀é".unicodeScalars).prefix(alphabet)
    return (0..<lines).map { _ in
        var line = String.UnicodeScalarView()
        var last = 0
        for _ in 0..<random.number(in: 1...12) {
            last = random.number(in: 0...2) == 0 ? random.number(in: 0...letters.count - 1) : (last * 5 + 3) % letters.count
            line.append(letters[last])
        }
        return String(line)
    }
}

@Suite struct NGramModelTests {
    /// All probabilities of a small model, after histories seen and unseen, against the plain one.
    @Test(arguments: [
        (1, [1], 1), (2, [1], 1), (3, [1], 2), (4, [1, 1, 2], 1), (5, [1], 1), (5, [1, 1, 1, 2, 2], 3), (6, [1], 1), (6, [1, 2, 2, 3], 2),
    ])
    func isModifiedKneserNey(order: Int, minimumCounts: [Int], vocabularyMinimum: Int) throws {
        let lines = corpus(lines: 400, alphabet: 18, seed: UInt64(order)) + ["稀"]
        var configuration = NGramConfiguration()
        (configuration.order, configuration.minimumCounts, configuration.vocabularyMinimum) = (order, minimumCounts, vocabularyMinimum)
        let model = try NGramModel.train(
            [lines.prefix(150).joined(separator: "\n"), lines.dropFirst(150).joined(separator: "\r\n\n")], configuration)
        let symbols = lines.map { $0.unicodeScalars.map { model.symbol($0) } }
        let vocabulary = [0, 2] + (0..<model.vocabularySize).map { UInt16(3 + $0) }
        #expect(model.vocabularySize == (vocabularyMinimum > 1 ? 18 : 19))
        let plain = PlainModel(symbols, order: order, vocabulary: vocabulary) { configuration.minimumCount($0) }
        for length in 2...max(order, 2) where length <= order {
            #expect(model.ngramCounts[length - 1] == plain.seen.count { $0.key.count == length && $0.value >= configuration.minimumCount(length) })
        }
        var random = SeededRandom(seed: 7)
        var histories: [[UInt16]] = [[], [1], [1, 0], [0, 0, 0, 0, 0], [2]]
        for _ in 0..<60 {
            let line = [1] + random.element(of: symbols)
            histories.append(Array(line.prefix(random.number(in: 1...line.count))))
            histories.append((0..<random.number(in: 1...6)).map { _ in random.element(of: vocabulary.filter { $0 != 2 }) })
        }
        for history in histories {
            var sum = 0.0
            for symbol in vocabulary {
                let found = exp(model.logProbability(of: symbol, after: history))
                let expected = plain.probability(of: symbol, after: history)
                #expect(abs(found - expected) <= 2e-6 * expected, "\(symbol) after \(history): \(found), should be \(expected)")
                sum += found
            }
            #expect(abs(sum - 1) < 1e-5, "after \(history) the probabilities sum to \(sum)")
        }
        // The fast way through a text is the sum of the single steps.
        for line in lines.prefix(50) + ["从未见过的字", "天地天地天地天地天地天地天地天地天地天地天地天地天地天地天地天地天地天地", "a\u{0}b"] {
            let whole = [1] + line.unicodeScalars.map { model.symbol($0) } + [2]
            let expected = whole.indices.dropFirst().reduce(0.0) { $0 + model.logProbability(of: whole[$1], after: Array(whole[..<$1])) }
            let score = model.score(line)
            #expect(abs(score.logProbability - expected) < 1e-4)
            #expect(score.events == whole.count - 1)
            #expect(abs(model.perplexity(of: line) - exp(-expected / Double(whole.count - 1))) < 1e-3 * model.perplexity(of: line))
        }
    }

    /// By hand: two characters, of which each was seen after the line's beginning once and before its end once.
    @Test func aModelOnPaper() throws {
        var configuration = NGramConfiguration()
        (configuration.order, configuration.vocabularyMinimum) = (2, 1)
        let model = try NGramModel.train(["甲\n乙"], configuration)
        let (first, second) = (model.symbol("甲"), model.symbol("乙"))
        // Predecessors: 甲 1, 乙 1, end 2; D1 = 1/2 and D2 = 1 (too few counts to estimate them); |V| = 甲 乙 end unknown.
        let rest = (0.5 + 0.5 + 1) / 4
        #expect(abs(exp(model.logProbability(of: first, after: [])) - (0.5 / 4 + rest / 4)) < 1e-6)
        #expect(abs(exp(model.logProbability(of: 2, after: [])) - (1.0 / 4 + rest / 4)) < 1e-6)
        #expect(abs(exp(model.logProbability(of: 0, after: [])) - rest / 4) < 1e-6)
        // Of the two lines each begins with another character: count 1, off which ½ is taken, of 2.
        #expect(abs(exp(model.logProbability(of: second, after: [1])) - (0.25 + 0.5 * (0.5 / 4 + rest / 4))) < 1e-6)
        #expect(model.perplexity(of: "") == 0)
        #expect(model.perplexity(of: "\n\r\n\n") == 0)
        #expect(model.perplexity(of: "甲") == model.perplexity(of: "\r\n\n甲\r\n甲\n"))
    }

    /// What does not fit in memory is sorted on disk, and nothing in the model tells.
    @Test func bytesDoNotDependOnMemory() throws {
        let texts = (0..<40).map { corpus(lines: 3000, alphabet: 20, seed: UInt64($0)).joined(separator: "\n") }
        var configuration = NGramConfiguration()
        (configuration.order, configuration.memoryMegabytes) = (6, 16)
        let folder = try TemporaryFolder()
        try NGramModel.train(texts, configuration).save(to: folder.file("small.yyn"))
        configuration.memoryMegabytes = 512
        try NGramModel.train(texts, configuration).save(to: folder.file("large.yyn"))
        for text in texts.indices { _ = try folder.write("texts/\(text + 100).txt", texts[text]) }
        try NGramModel.train(paths: [folder.file("texts").path], configuration).save(to: folder.file("paths.yyn"))
        let large = try Data(contentsOf: folder.file("large.yyn"))
        #expect(try Data(contentsOf: folder.file("small.yyn")) == large)
        #expect(try Data(contentsOf: folder.file("paths.yyn")) == large)
    }

    @Test func comesBackFromItsFile() throws {
        let lines = corpus(lines: 500, alphabet: 15, seed: 3)
        let model = try NGramModel.train(lines)
        let folder = try TemporaryFolder()
        let file = folder.file("model.yyn")
        try model.save(to: file)
        let again = try NGramModel(contentsOf: file)
        #expect(again.order == 5)
        #expect(again.ngramCounts == model.ngramCounts)
        #expect(lines.allSatisfy { again.perplexity(of: $0) == model.perplexity(of: $0) })
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["model.yyn"])
    }

    @Test func hostileFilesAreRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("model.yyn")
        var configuration = NGramConfiguration()
        configuration.order = 3
        try NGramModel.train(corpus(lines: 50, alphabet: 5, seed: 1), configuration).save(to: file)
        let whole = [UInt8](try Data(contentsOf: file))
        func sentence(_ bytes: [UInt8]) throws -> String {
            let path = try folder.write("hostile.yyn", bytes)
            return errorSentence { _ = try NGramModel(contentsOf: URL(fileURLWithPath: path)) }
        }
        #expect(try sentence([]).hasSuffix("hostile.yyn: not a character model (it is empty)"))
        #expect(try sentence(Array("这是一篇文章".utf8)).contains("not a character model"))
        #expect(try sentence(Array(whole.prefix(100))).contains("cut short, at 100 bytes within its header"))
        #expect(try sentence(Array(whole.prefix(whole.count - 8))).contains("where its header says \(whole.count)"))
        var other = whole
        other[8] = 9
        #expect(try sentence(other).contains("a character model of version 9, and this program reads version 1"))
        #expect(errorSentence { _ = try NGramModel(contentsOf: folder.file("none.yyn")) }.contains("none.yyn: cannot open it"))

        // Tables that are in disorder under checksums that are right.
        let layout = try #require(try? NGramLayout(whole.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[...]) }, of: file))
        func sealed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var bytes = whole
            change(&bytes)
            var checksum = Checksum()
            bytes.withUnsafeBytes { checksum.update(UnsafeRawBufferPointer(rebasing: $0[NGramLayout.headerBytes...])) }
            bytes.replaceSubrange(..<NGramLayout.headerBytes, with: layout.header(checksum: checksum.value))
            return bytes
        }
        #expect(try sentence(sealed { _ in }) == "no error")
        let full = sealed { bytes in for index in layout.tableOffset(2)..<bytes.count { bytes[index] = 7 } }
        #expect(try sentence(full).contains("not in order"))
        #expect(try sentence(sealed { $0[NGramLayout.headerBytes + 3] = 0xFF }).contains("not in order"))

        var random = SeededRandom(seed: 11)
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0...random.number(in: 0...3) {
                let position = random.number(in: 0...1) == 0 ? random.number(in: 0...255) : random.number(in: 0...bytes.count - 1)
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.number(in: 0...9) == 0 { bytes.removeLast(random.number(in: 1...bytes.count)) }
            if bytes != whole { #expect(try sentence(bytes).contains("hostile.yyn: ")) }
            // With its checksums made right again a damaged model may say anything, but it says something.
            let body = sealed { sealed in
                for _ in 0...50 { sealed[random.number(in: layout.unigramOffset...sealed.count - 1)] = UInt8(truncatingIfNeeded: random.next()) }
            }
            let path = try folder.write("sealed.yyn", body)
            if let model = try? NGramModel(contentsOf: URL(fileURLWithPath: path)) { _ = model.perplexity(of: "天地玄黄\n宇宙洪荒") }
        }
    }

    @Test func mistakesInTheConfiguration() {
        func sentence(_ change: (inout NGramConfiguration) -> Void, _ texts: [String] = ["天地玄黄"]) -> String {
            var configuration = NGramConfiguration()
            change(&configuration)
            return errorSentence { _ = try NGramModel.train(texts, configuration) }
        }
        #expect(sentence { $0.order = 0 } == "order should be between 1 and 6, not 0")
        #expect(sentence { $0.order = 7 } == "order should be between 1 and 6, not 7")
        #expect(
            sentence { $0.minimumCounts = [1, 3, 2] } == "minimum_counts should begin with 1 and never fall, as [1, 1, 1, 2] does, not [1, 3, 2]")
        #expect(sentence { $0.minimumCounts = [2] }.hasPrefix("minimum_counts"))
        #expect(sentence { $0.memoryMegabytes = 1 } == "memory_megabytes should be at least 16, not 1")
        #expect(sentence { $0.vocabularyMinimum = 0 } == "vocabulary_minimum should be at least 1, not 0")
        #expect(
            sentence({ $0.vocabularyMinimum = 2 }, ["天地"])
                == "there is nothing to learn from: in 6 bytes of text no character occurs 2 times or more")
        #expect(sentence({ _ in }, []) == "there is nothing to learn from: in 0 bytes of text no character occurs 1 times or more")
    }
}
