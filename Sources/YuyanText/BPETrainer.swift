extension TokenizerTrainer {
    /// Byte-level BPE over the words of `WordMatcher.yuyan`: nothing is normalised, nothing is lost.
    static func trainBPE(_ vocabularySize: Int, _ texts: [String]) throws -> Tokenizer {
        let specials = specialTokens
        try require(vocabularySize, atLeast: 256 + specials.count, for: "the bytes and the special tokens")
        var words = WordCounter()
        let matcher = WordMatcher(style: .gpt2, digits: 1)
        for var text in texts {
            text.withUTF8 { bytes in
                guard let base = bytes.baseAddress else { return }
                var start = 0
                while start < bytes.count {
                    let end = matcher.end(base, bytes.count, from: start, classes: ScalarClasses.table)
                    words.add(UnsafeBufferPointer(start: base + start, count: end - start))
                    start = end
                }
            }
        }
        // The alphabet in the order of the characters that stand for the bytes.
        let alphabet = (0..<256).sorted { ByteAlphabet.scalars[$0].value < ByteAlphabet.scalars[$1].value }.map { UInt8($0) }
        var number = [Int32](repeating: 0, count: 256)
        for (index, byte) in alphabet.enumerated() { number[Int(byte)] = Int32(index) }
        var learner = MergeLearner(alphabet: alphabet.map { [$0] })
        for word in 0..<words.count { learner.add(word: words[word].map { number[Int($0)] }, count: words.counts[word]) }
        learner.learn(size: vocabularySize - specials.count)

        let names = learner.symbols.map { Array(ByteAlphabet.text(of: $0).utf8) }
        let merges = learner.merges.map { JSON.string(names[Int($0.0)] + [0x20] + names[Int($0.1)]) }
        let byteLevel = JSON.members(
            ("type", .string("ByteLevel")), ("add_prefix_space", .bool(false)), ("trim_offsets", .bool(true)), ("use_regex", .bool(false)))
        let split = JSON.members(
            ("type", .string("Split")), ("pattern", .members(("Regex", .string(WordMatcher.yuyan)))), ("behavior", .string("Isolated")),
            ("invert", .bool(false)))
        return try tokenizer(
            specials: specials, vocabulary: names,
            model: [
                ("type", .string("BPE")), ("dropout", .null), ("unk_token", .null), ("continuing_subword_prefix", .null),
                ("end_of_word_suffix", .null),
                ("fuse_unk", .bool(false)), ("byte_fallback", .bool(false)), ("ignore_merges", .bool(false)), ("vocab", .null),
                ("merges", .array(merges)),
            ],
            preTokenizer: .members(("type", .string("Sequence")), ("pretokenizers", .array([split, byteLevel]))), decoder: byteLevel, roles: [:])
    }

    /// A token for each frequent character, bytes for the others: BPE without merges. Nothing is lost.
    static func trainCharacter(_ vocabularySize: Int, _ texts: [String]) throws -> Tokenizer {
        let specials = specialTokens
        try require(vocabularySize, atLeast: 256 + specials.count, for: "the bytes and the special tokens")
        var counts: [Unicode.Scalar: Int64] = [:]
        for text in texts { for scalar in text.unicodeScalars { counts[scalar, default: 0] += 1 } }
        let characters = counts.sorted { ($1.value, $0.key.value) < ($0.value, $1.key.value) }.prefix(vocabularySize - 256 - specials.count)
        let bytes = (0..<256).map { Array("<0x\($0 < 16 ? "0" : "")\(String($0, radix: 16, uppercase: true))>".utf8) }
        let decoders = ["ByteFallback", "Fuse"].map { JSON.members(("type", .string($0))) }
        return try tokenizer(
            specials: specials, vocabulary: bytes + characters.map { Array(String($0.key).utf8) },
            model: [
                ("type", .string("BPE")), ("dropout", .null), ("unk_token", .null), ("continuing_subword_prefix", .null),
                ("end_of_word_suffix", .null),
                ("fuse_unk", .bool(false)), ("byte_fallback", .bool(true)), ("ignore_merges", .bool(false)), ("vocab", .null), ("merges", .array([])),
            ],
            decoder: .members(("type", .string("Sequence")), ("decoders", .array(decoders))), roles: [:])
    }
}
