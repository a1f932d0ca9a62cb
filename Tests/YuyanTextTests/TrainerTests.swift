import Foundation
import Testing

@testable import YuyanText

@Suite struct TrainerTests {
    @Test(arguments: TokenizerTrainer.Kind.allCases)
    func trainsSavesAndLoads(_ kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try TokenizerTrainer.train(kind: kind, vocabularySize: 420, texts: [sampleText])
        let again = try TokenizerTrainer.train(kind: kind, vocabularySize: 420, texts: [sampleText])
        #expect(tokenizer.fingerprint == again.fingerprint)
        #expect(tokenizer.vocabularySize <= 420)
        #expect(tokenizer.special.eos == tokenizer.id(of: "<|endoftext|>"))
        #expect(tokenizer.special.eos != nil && tokenizer.special.pad == tokenizer.special.eos)
        for token in TokenizerTrainer.specialTokens {
            let id = try #require(tokenizer.id(of: token))
            #expect(tokenizer.encode(token) == [id])
            #expect(tokenizer.token(of: id) == token)
            #expect(tokenizer.decode([id]).isEmpty && tokenizer.decode([id], skippingSpecialTokens: false) == token)
        }
        let loaded = try withTemporaryFolder { folder in
            try tokenizer.save(to: folder)
            return try Tokenizer(contentsOf: folder)
        }
        #expect(loaded.fingerprint == tokenizer.fingerprint)
        #expect(loaded.chatTemplate == .yuyan)
        #expect(loaded.encode(sampleText) == tokenizer.encode(sampleText))
        #expect(loaded.special == tokenizer.special)
    }

    @Test(arguments: [TokenizerTrainer.Kind.bpe, .character, .unigram])
    func losesNothing(_ kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try TokenizerTrainer.train(kind: kind, vocabularySize: 420, texts: [sampleText])
        for text in [sampleText, "未见过的字：龘靐齉 🦅\u{1F468}\u{200D}\u{1F469} \t  x\n\n", " ", "\u{0}"] {
            let ids = tokenizer.encode(text)
            #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8))
            #expect(Array(tokenizer.stream(ids).utf8) == Array(text.utf8))
        }
    }

    @Test func wordPieceDecodesChineseWithoutSpaces() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .wordpiece, vocabularySize: 420, texts: [sampleText])
        #expect(tokenizer.decode(tokenizer.encode("雨燕飞得很快，夏天在城里。")) == "雨燕飞得很快，夏天在城里。")
        #expect(tokenizer.decode(tokenizer.encode("The swift is fast, is it?")) == "The swift is fast, is it?")
    }

    @Test func learnsTheMostFrequentPairFirst() throws {
        var learner = MergeLearner(alphabet: ["a", "b", "c"].map { Array($0.utf8) })
        learner.add(word: [0, 1, 0, 1, 2], count: 3)
        learner.add(word: [1, 2], count: 4)
        learner.learn(size: 6)
        // ab 6, bc 7: bc first, then ab (3 left) and abc's pairs.
        #expect(learner.merges.map { [$0.0, $0.1, $0.2] } == [[1, 2, 3], [0, 1, 4], [0, 3, 5]])
    }

    /// The incremental counts against counting everything anew after each merge.
    @Test func learnsLikeThePlainAlgorithm() throws {
        var generator = SplitMix(state: 7)
        let words = (0..<200).map { _ in ((0..<Int.random(in: 1...9, using: &generator)).map { _ in Int32.random(in: 0..<4, using: &generator) }) }
        let counts = words.map { _ in Int64.random(in: 1...5, using: &generator) }
        var learner = MergeLearner(alphabet: (0..<4).map { [$0] })
        for (word, count) in zip(words, counts) { learner.add(word: word, count: count) }
        learner.learn(size: 60)

        var symbols: [[UInt8]] = (0..<4).map { [$0] }
        var texts = words
        var merges: [[Int32]] = []
        while symbols.count < 60 {
            var pairs: [[Int32]: Int64] = [:]
            for (word, count) in zip(texts, counts) {
                for (left, right) in zip(word, word.dropFirst()) { pairs[[left, right], default: 0] += count }
            }
            let top = pairs.max { $0.value != $1.value ? $0.value < $1.value : $1.key.lexicographicallyPrecedes($0.key) }
            guard let top, top.value >= 2 else { break }
            let merged = symbols[Int(top.key[0])] + symbols[Int(top.key[1])]
            let id = symbols.firstIndex(of: merged) ?? symbols.count
            if id == symbols.count { symbols.append(merged) }
            merges.append(top.key + [Int32(id)])
            texts = texts.map { word in
                var result: [Int32] = []
                var index = 0
                while index < word.count {
                    let isPair = index + 1 < word.count && word[index] == top.key[0] && word[index + 1] == top.key[1]
                    result.append(isPair ? Int32(id) : word[index])
                    index += isPair ? 2 : 1
                }
                return result
            }
        }
        #expect(learner.merges.map { [$0.0, $0.1, $0.2] } == merges)
        #expect(learner.symbols == symbols)
    }

    @Test func refusesWhatCannotBeTrained() throws {
        #expect(throws: TokenizerError.self) { try TokenizerTrainer.train(kind: .bpe, vocabularySize: 100, texts: ["文字"]) }
        #expect(throws: TokenizerError.self) { try TokenizerTrainer.train(kind: .bpe, vocabularySize: 400, texts: ["", " \n"]) }
        let missing = URL(filePath: "/nowhere/corpus.txt")
        let error = #expect(throws: TokenizerError.self) { try TokenizerTrainer.train(kind: .bpe, vocabularySize: 400, files: [missing]) }
        #expect(error?.description.contains("/nowhere/corpus.txt") ?? false)
    }
}

/// Numbers that are the same on every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }
}
