/// Reads `tokenizer.json`. What it names but this code lacks is an error with the component's name.
struct TokenizerJSON {
    let json: JSON
    let name: String
    let vocabulary = Vocabulary()

    init(_ bytes: [UInt8], name: String) throws {
        json = try JSON(parsing: bytes, name: name)
        self.name = name
    }

    private func unsupported(_ component: String, _ type: String) -> TokenizerError {
        TokenizerError("\(name): the \(component) \(type) is not supported.")
    }

    private func missing(_ key: String) -> TokenizerError {
        TokenizerError("\(name): \(key) is missing or of the wrong kind.")
    }

    private func type(_ json: JSON, _ component: String) throws -> String {
        guard let type = json["type"]?.text else { throw missing("the \(component)'s \"type\"") }
        return type
    }

    // MARK: Model

    /// Fills `vocabulary` with the model's tokens and the added ones.
    func model() throws -> Pipeline.Model {
        guard let model = json["model"] else { throw missing("\"model\"") }
        // Files from before the model's type was written have merges in a BPE and nothing like them in a WordPiece.
        let type = model["type"]?.text ?? (model["merges"] == nil ? "WordPiece" : "BPE")
        guard type == "BPE" || type == "WordPiece" else { throw unsupported("model", type) }
        guard let members = model["vocab"]?.members else { throw missing("\"vocab\" of the model") }
        for (token, value) in members {
            guard let id = value.integer, 0..<(1 << 24) ~= id else {
                throw TokenizerError("\(name): the token \(String(decoding: token, as: UTF8.self)) has no id from 0 to 16777215.")
            }
            vocabulary.add(token, id: Int32(id))
        }
        for token in try addedTokens() where vocabulary[token.id] != token.content[...] { vocabulary.add(token.content, id: token.id) }
        let unknown = model["unk_token"]?.text.flatMap { vocabulary.id(of: $0) }
        if type == "WordPiece" {
            guard let unknown else { throw missing("\"unk_token\" of the WordPiece model, a token of its vocabulary,") }
            let longest = model["max_input_chars_per_word"]?.integer ?? 100
            let prefix = model["continuing_subword_prefix"]?.text ?? "##"
            return .wordPiece(WordPiece(vocabulary: vocabulary, unknown: unknown, prefix: prefix, longestWord: longest), longestWord: longest)
        }
        for option in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = model[option]?.text, !text.isEmpty { throw unsupported("BPE model's option", "\(option) \"\(text)\"") }
        }
        if case .number(let dropout)? = model["dropout"], dropout > 0 { throw unsupported("BPE model's option", "dropout \(dropout)") }
        return .bpe(
            BytePairEncoding(
                vocabulary: vocabulary, merges: try merges(model),
                isByteLevel: flattened(json["pre_tokenizer"], "pretokenizers").contains { $0["type"]?.text == "ByteLevel" },
                unknown: unknown, fusesUnknown: model["fuse_unk"]?.flag ?? false, fallsBackToBytes: model["byte_fallback"]?.flag ?? false,
                ignoresMerges: model["ignore_merges"]?.flag ?? false))
    }

    private func merges(_ model: JSON) throws -> [(Int32, Int32, Int32)] {
        guard let list = model["merges"]?.elements else { throw missing("\"merges\" of the model") }
        return try list.enumerated().map { index, merge in
            let parts: [[UInt8]] =
                if let text = merge.bytes {
                    text.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
                } else {
                    merge.elements?.compactMap(\.bytes) ?? []
                }
            guard parts.count == 2 else { throw TokenizerError("\(name): merge \(index + 1) is not a pair of tokens.") }
            guard let left = vocabulary.id(of: parts[0]), let right = vocabulary.id(of: parts[1]), let merged = vocabulary.id(of: parts[0] + parts[1])
            else {
                throw TokenizerError("\(name): merge \(index + 1) names a token that is not in the vocabulary.")
            }
            guard max(left, right, merged) < MergeTable.idLimit else {
                throw TokenizerError("\(name): merge \(index + 1) names an id above \(MergeTable.idLimit - 1).")
            }
            return (left, right, merged)
        }
    }

    func addedTokens() throws -> [AddedTokens.Token] {
        try (json["added_tokens"]?.elements ?? []).map { token in
            guard let content = token["content"]?.bytes, let id = token["id"]?.integer, 0..<(1 << 24) ~= id else {
                throw missing("the \"content\" or \"id\" of an added token")
            }
            return AddedTokens.Token(token, id: Int32(id), content: content)
        }
    }

    // MARK: Text

    func normalizer() throws -> Normalizer? {
        try json["normalizer"].map(normalizer)
    }

    private func normalizer(_ json: JSON) throws -> Normalizer {
        switch try type(json, "normalizer") {
        case "NFC": return .nfc
        case "NFD": return .nfd
        case "NFKC": return .nfkc
        case "NFKD": return .nfkd
        case "Lowercase": return .lowercase
        case "StripAccents": return .stripAccents
        case "BertNormalizer":
            return .bert(
                BertNormalizer(
                    cleanText: json["clean_text"]?.flag ?? true, isolatesIdeographs: json["handle_chinese_chars"]?.flag ?? true,
                    stripsAccents: json["strip_accents"]?.flag, lowercases: json["lowercase"]?.flag ?? true))
        case "Replace":
            guard let content = json["content"]?.bytes else { throw missing("\"content\" of the normalizer Replace") }
            return .replace(try pattern(json), with: content)
        case "Strip": return .strip(left: json["strip_left"]?.flag ?? true, right: json["strip_right"]?.flag ?? true)
        case "Prepend":
            guard let content = json["prepend"]?.bytes else { throw missing("\"prepend\" of the normalizer Prepend") }
            return .prepend(content)
        case "Sequence": return .sequence(try (json["normalizers"]?.elements ?? []).map(normalizer))
        case let other: throw unsupported("normalizer", other)
        }
    }

    func preTokenizer() throws -> PreTokenizer? {
        try json["pre_tokenizer"].map(preTokenizer)
    }

    private func preTokenizer(_ json: JSON) throws -> PreTokenizer {
        switch try type(json, "pre-tokenizer") {
        case "ByteLevel": return .byteLevel(addsPrefixSpace: json["add_prefix_space"]?.flag ?? true, usesExpression: json["use_regex"]?.flag ?? true)
        case "BertPreTokenizer": return .bert
        case "Whitespace": return .whitespace
        case "WhitespaceSplit": return .whitespaceSplit
        case "Digits": return .digits(individually: json["individual_digits"]?.flag ?? false)
        case "Punctuation": return .punctuation(try behavior(json) ?? .isolated)
        case "Split":
            guard let behavior = try behavior(json) else { throw missing("\"behavior\" of the pre-tokenizer Split") }
            let inverted = json["invert"]?.flag ?? false
            // These expressions match every character, so isolating the matches and dropping what is between them are the same.
            if behavior == .isolated || (behavior == .removed && inverted), let text = json["pattern"]?["Regex"]?.text,
                let matcher = WordMatcher(pattern: text)
            {
                return .words(matcher)
            }
            return .split(try pattern(json), behavior, inverted: inverted)
        case "Metaspace":
            let (replacement, prepends) = try metaspace(json)
            return .metaspace(replacement: replacement, prepends: prepends, splits: json["split"]?.flag ?? true)
        case "Sequence": return .sequence(try (json["pretokenizers"]?.elements ?? []).map(preTokenizer))
        case let other: throw unsupported("pre-tokenizer", other)
        }
    }

    private func behavior(_ json: JSON) throws -> PreTokenizer.SplitBehavior? {
        guard let name = json["behavior"]?.text else { return nil }
        guard let behavior = PreTokenizer.SplitBehavior(rawValue: name) else { throw unsupported("split behavior", name) }
        return behavior
    }

    private func metaspace(_ json: JSON) throws -> (replacement: [UInt8], prepends: PreTokenizer.Metaspace) {
        let replacement = json["replacement"]?.bytes ?? Array("▁".utf8)
        guard let scheme = json["prepend_scheme"]?.text else { return (replacement, json["add_prefix_space"]?.flag ?? true ? .always : .never) }
        guard let prepends = PreTokenizer.Metaspace(rawValue: scheme) else { throw unsupported("prepend scheme", scheme) }
        return (replacement, prepends)
    }

    private func pattern(_ json: JSON) throws -> Pattern {
        if let expression = json["pattern"]?["Regex"]?.text { return try Pattern(expression) }
        guard let text = json["pattern"]?["String"]?.text else { throw missing("a \"pattern\" of \"Regex\" or \"String\"") }
        return try Pattern("\\Q" + text.replacing("\\E", with: "\\E\\\\E\\Q") + "\\E")
    }

    /// The members of a component and of the sequences in it.
    private func flattened(_ json: JSON?, _ key: String) -> [JSON] {
        guard let json else { return [] }
        guard json["type"]?.text == "Sequence" else { return [json] }
        return (json[key]?.elements ?? []).flatMap { flattened($0, key) }
    }

    // MARK: Around the text

    /// The ids that the post-processor puts before and after a single text.
    func frame() throws -> (prefix: [Int32], suffix: [Int32]) {
        var frame: (prefix: [Int32], suffix: [Int32]) = ([], [])
        for processor in flattened(json["post_processor"], "processors") {
            switch try type(processor, "post-processor") {
            case "ByteLevel": continue
            case "BertProcessing", "RobertaProcessing":
                guard let cls = processor["cls"]?.elements?.last?.integer, let sep = processor["sep"]?.elements?.last?.integer else {
                    throw missing("\"cls\" or \"sep\" of the post-processor")
                }
                frame = ([Int32(cls)] + frame.prefix, frame.suffix + [Int32(sep)])
            case "TemplateProcessing":
                var (before, after, isAfter): ([Int32], [Int32], Bool) = ([], [], false)
                for part in processor["single"]?.elements ?? [] {
                    if part["Sequence"] != nil {
                        isAfter = true
                    } else if let token = part["SpecialToken"]?["id"]?.text {
                        guard let ids = processor["special_tokens"]?[token]?["ids"]?.elements?.compactMap(\.integer) else {
                            throw missing("the special token \(token) of the post-processor")
                        }
                        if isAfter { after += ids.map(Int32.init) } else { before += ids.map(Int32.init) }
                    }
                }
                frame = (before + frame.prefix, frame.suffix + after)
            case let other: throw unsupported("post-processor", other)
            }
        }
        return frame
    }

    /// After `model()`, which fills the vocabulary.
    func decoder(special: Set<Int32>) throws -> Decoder {
        var joining = json["decoder"] == nil ? Decoder.Joining.spaces : .none
        var wordPiece: (prefix: [UInt8], cleansUp: Bool)?
        var leadingSpaces = 0
        var hasByteFallback = false
        var steps: [([UInt8]) -> [UInt8]] = []
        for decoder in flattened(json["decoder"], "decoders") {
            switch try type(decoder, "decoder") {
            case "ByteLevel": steps.append { ByteAlphabet.bytes(of: $0) ?? $0 }
            case "WordPiece":
                joining = .words
                wordPiece = (decoder["prefix"]?.bytes ?? Array("##".utf8), decoder["cleanup"]?.flag ?? true)
            case "Metaspace":
                let (replacement, prepends) = try metaspace(decoder)
                if prepends != .never { leadingSpaces = 1 }
                steps.append { replacing(replacement, with: [0x20], in: $0) }
            case "Replace":
                let normalizer = Normalizer.replace(try pattern(decoder), with: decoder["content"]?.bytes ?? [])
                steps.append { normalizer.normalize($0) }
            case "ByteFallback":
                hasByteFallback = true
                steps.append { byte(named: $0).map { [$0] } ?? $0 }
            case "Fuse": continue
            case "Strip":
                guard decoder["content"]?.text == " ", decoder["stop"]?.integer ?? 0 == 0 else {
                    throw unsupported("decoder", "Strip of anything but leading spaces")
                }
                leadingSpaces += decoder["start"]?.integer ?? 0
            case let other: throw unsupported("decoder", other)
            }
        }
        return Decoder(
            count: vocabulary.count, joining: joining, leadingSpaces: leadingSpaces, replacesSingleBytes: hasByteFallback
        ) { id in
            var token = Array(vocabulary[id])
            var flags: Decoder.Flags = special.contains(id) ? .special : []
            if let wordPiece {
                let (bytes, more) = Decoder.wordPiece(token, prefix: wordPiece.prefix, cleansUp: wordPiece.cleansUp)
                token = bytes
                flags.formUnion(more)
            }
            return (steps.reduce(token) { $1($0) }, flags)
        }
    }

    /// What decides which ids a text gets, in a form that does not depend on how the file was written.
    func identity() -> [UInt8] {
        var model = json["model"] ?? .null
        let merges = model["merges"]?.elements ?? []
        model.set("vocab", .null)
        model.set("merges", .null)
        let parts = [json["normalizer"] ?? .null, json["pre_tokenizer"] ?? .null, json["added_tokens"] ?? .null, model]
        var bytes = JSON.array(parts).serialized(indent: nil, sorted: true)
        for id in 0..<Int32(vocabulary.count) { bytes += vocabulary[id] + [0] }
        for merge in merges { bytes += (merge.bytes ?? Array((merge.elements ?? []).compactMap(\.bytes).joined(separator: [0x20]))) + [0] }
        return bytes
    }
}

extension AddedTokens.Token {
    /// From an entry of `added_tokens` or `added_tokens_decoder`.
    init(_ json: JSON, id: Int32, content: [UInt8]) {
        self.init(
            id: id, content: content, stripsLeft: json["lstrip"]?.flag ?? false, stripsRight: json["rstrip"]?.flag ?? false,
            isSingleWord: json["single_word"]?.flag ?? false, isNormalized: json["normalized"]?.flag ?? false,
            isSpecial: json["special"]?.flag ?? false)
    }
}

/// The byte that a token `<0x0A>` stands for.
func byte(named token: some Collection<UInt8>) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8) else { return nil }
    return UInt8(String(decoding: token.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
}

func replacing(_ old: [UInt8], with new: [UInt8], in text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text[...]
    while !rest.isEmpty {
        if !old.isEmpty, rest.starts(with: old) {
            result += new
            rest.removeFirst(old.count)
        } else {
            result.append(rest.removeFirst())
        }
    }
    return result
}
