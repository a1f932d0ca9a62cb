import CSentencePiece

extension TokenizerTrainer {
    /// SentencePiece's unigram model without normalisation: full-width punctuation and spaces stay, rare characters become bytes.
    static func trainUnigram(_ vocabularySize: Int, _ texts: [String]) throws -> Tokenizer {
        let controls = specialTokens.dropFirst()
        try require(vocabularySize, atLeast: 256 + specialTokens.count + 16, for: "the bytes, the special tokens and a few characters")
        let arguments = [
            "model_type=unigram", "vocab_size=\(vocabularySize)", "hard_vocab_limit=false", "normalization_rule_name=identity",
            "add_dummy_prefix=false", "remove_extra_whitespaces=false", "allow_whitespace_only_pieces=true", "byte_fallback=true",
            "character_coverage=1", "split_digits=true", "eos_id=0", "eos_piece=\(specialTokens[0])", "unk_id=1", "bos_id=-1",
            "pad_id=-1", "control_symbols=\(controls.joined(separator: ","))",
            // In bytes; the library's default of 4192 silently drops long Chinese paragraphs.
            "max_sentence_length=1048576",
            // Expected counts are sums of floats by thread: their number has to be the same on every machine.
            "num_threads=4", "seed_sentencepiece_size=\(max(100_000, 20 * vocabularySize))", "minloglevel=2",
        ].joined(separator: "\n")
        let lines = lines(of: texts, characters: (vocabularySize - 256 - specialTokens.count) / 2)
        let model = try withUnsafeTemporaryAllocation(of: LineFeed.self, capacity: 1) { feed in
            feed.initializeElement(at: 0, to: LineFeed(lines: lines))
            defer { feed.deinitialize() }
            return try trained(arguments, feed)
        }
        var configuration = configuration(roles: ["unk_token": "<unk>"])
        configuration.set(
            "added_tokens_decoder",
            .object(
                try controlTokens(of: model).map { id, token in
                    (
                        Array("\(id)".utf8),
                        .members(
                            ("content", .string(token)), ("lstrip", .bool(false)), ("normalized", .bool(false)), ("rstrip", .bool(false)),
                            ("single_word", .bool(false)), ("special", .bool(true)))
                    )
                }))
        return try Tokenizer(
            files: TokenizerFiles(kind: .sentencePiece, model: model, configuration: configuration, origin: "the trained tokenizer"))
    }

    /// The lines of the texts, divided also at characters that get no piece of their own: those beyond the most frequent `characters` or 99.95 %
    /// of the text, and those that the library's trainer keeps for itself. Left in, they would fill a small vocabulary, which the library refuses.
    private static func lines(of texts: [String], characters: Int) -> [[UInt8]] {
        var counts: [Unicode.Scalar: Int] = [:]
        for text in texts { for scalar in text.unicodeScalars { counts[scalar, default: 0] += 1 } }
        for reserved: Unicode.Scalar in ["\n", "\t", "\0", "▁", "▅"] { counts[reserved] = nil }
        var missing = counts.values.reduce(0, +)
        let tolerated = missing / 2000
        var kept: Set<Unicode.Scalar> = []
        for (scalar, count) in counts.sorted(by: { ($1.value, $0.key.value) < ($0.value, $1.key.value) }).prefix(characters) where missing > tolerated
        {
            kept.insert(scalar)
            missing -= count
        }
        return texts.flatMap { text in
            text.unicodeScalars.split { !kept.contains($0) }.map { Array(String($0).utf8) }
        }
    }

    private static func controlTokens(of model: [UInt8]) throws -> [(Int32, String)] {
        let library = try SentencePiece(model, name: "the trained model")
        return (0..<library.count).filter { library.kind($0) == yuyan_sp_control }.map { ($0, String(decoding: library.piece($0), as: UTF8.self)) }
    }

    private static func trained(_ arguments: String, _ feed: UnsafeMutableBufferPointer<LineFeed>) throws -> [UInt8] {
        var model: UnsafeMutableRawPointer?
        var length = 0
        var error: UnsafeMutablePointer<CChar>?
        let success = yuyan_sp_train(
            arguments,
            { context, line, length in
                guard let feed = context?.assumingMemoryBound(to: LineFeed.self), let line, let length else { return false }
                return feed.pointee.next(&line.pointee, &length.pointee)
            }, feed.baseAddress, &model, &length, &error)
        guard success, let model else { throw TokenizerError("SentencePiece cannot train on this text: \(taken(error)).") }
        defer { yuyan_sp_release(model) }
        return Array(UnsafeRawBufferPointer(start: model, count: length))
    }
}

/// Hands lines to the library, each in memory that lives until the next.
private struct LineFeed {
    let lines: [[UInt8]]
    private var index = 0
    private var current: UnsafeMutablePointer<CChar>?

    init(lines: [[UInt8]]) {
        self.lines = lines
    }

    mutating func next(_ line: inout UnsafePointer<CChar>?, _ length: inout Int) -> Bool {
        current?.deallocate()
        current = nil
        guard index < lines.count else { return false }
        let bytes = lines[index]
        index += 1
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: max(bytes.count, 1))
        for (offset, byte) in bytes.enumerated() { copy[offset] = CChar(bitPattern: byte) }
        current = copy
        (line, length) = (UnsafePointer(copy), bytes.count)
        return true
    }
}
