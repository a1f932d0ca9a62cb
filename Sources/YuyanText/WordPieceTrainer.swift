extension TokenizerTrainer {
    /// WordPiece whose pieces are learned by merging frequent pairs. At most three quarters of the vocabulary are single characters, the
    /// most frequent ones; words with others are left out.
    static func trainWordPiece(_ vocabularySize: Int, _ texts: [String]) throws -> Tokenizer {
        let roles = ["unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"]
        let specials = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"] + specialTokens
        try require(vocabularySize, atLeast: specials.count + 16, for: "the special tokens and a few characters")
        let words = countedWords(texts)

        // A character inside a word is a symbol of its own: "##字".
        let continuation = Array("##".utf8)
        var counts: [[UInt8]: Int64] = [:]
        for word in 0..<words.count {
            for (index, character) in characters(of: words[word]).enumerated() {
                counts[index == 0 ? character : continuation + character, default: 0] += words.counts[word]
            }
        }
        let frequent = counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
        let alphabet = frequent.prefix((vocabularySize - specials.count) * 3 / 4).map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
        let numbers = Dictionary(uniqueKeysWithValues: alphabet.enumerated().map { ($1, Int32($0)) })

        var learner = MergeLearner(alphabet: alphabet, continuation: continuation)
        for word in 0..<words.count {
            let symbols = characters(of: words[word]).enumerated().map { numbers[$0 == 0 ? $1 : continuation + $1] }
            if !symbols.contains(nil) { learner.add(word: symbols.compactMap { $0 }, count: words.counts[word]) }
        }
        learner.learn(size: vocabularySize - specials.count)
        return try tokenizer(
            specials: specials, vocabulary: learner.symbols,
            model: [
                ("type", .string("WordPiece")), ("unk_token", .string("[UNK]")), ("continuing_subword_prefix", .string("##")),
                ("max_input_chars_per_word", .number(100)), ("vocab", .null),
            ],
            normalizer: .members(
                ("type", .string("BertNormalizer")), ("clean_text", .bool(true)), ("handle_chinese_chars", .bool(true)),
                ("strip_accents", .bool(false)),
                ("lowercase", .bool(false))),
            preTokenizer: .members(("type", .string("BertPreTokenizer"))),
            decoder: .members(("type", .string("WordPiece")), ("prefix", .string("##")), ("cleanup", .bool(true))), roles: roles)
    }

    private static func countedWords(_ texts: [String]) -> WordCounter {
        var words = WordCounter()
        let normalizer = BertNormalizer(stripsAccents: false, lowercases: false)
        for text in texts {
            for line in text.utf8.split(separator: 0x0A) {
                normalizer.normalize(Array(line)).withUnsafeBufferPointer { bytes in
                    PreTokenizer.bert.split(bytes, [0..<bytes.count], isStart: true) { bytes, ranges in
                        for range in ranges { words.add(UnsafeBufferPointer(rebasing: bytes[range])) }
                    }
                }
            }
        }
        return words
    }

    private static func characters(of word: ArraySlice<UInt8>) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for byte in word {
            if byte & 0xC0 == 0x80, !result.isEmpty { result[result.count - 1].append(byte) } else { result.append([byte]) }
        }
        return result
    }
}
