import CSentencePiece

/// A tokenizer's immutable parts, and the way of a text through them: added tokens out, normalise, split, encode.
final class Pipeline: Sendable {
    enum Model: Sendable {
        case bpe(BytePairEncoding)
        case wordPiece(WordPiece, longestWord: Int)
        case sentencePiece(SentencePiece)
    }

    let vocabulary: Vocabulary
    let added: AddedTokens
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let model: Model
    let decoder: Decoder
    let special: SpecialTokens
    /// What `addingSpecialTokens` puts around a text.
    let frame: (prefix: [Int32], suffix: [Int32])
    let fingerprint: String
    let scratch = ScratchPool()
    private let bert: BertEncoder?
    private let matcher: WordMatcher?

    typealias Text = UnsafeBufferPointer<UInt8>

    init(files: TokenizerFiles) throws {
        let configuration = files.configuration
        var identity: [UInt8]
        switch files.kind {
        case .json:
            let json = try TokenizerJSON(files.model, name: files.modelName)
            model = try json.model()
            vocabulary = json.vocabulary
            normalizer = try json.normalizer()
            preTokenizer = try json.preTokenizer()
            added = AddedTokens(try json.addedTokens(), normalizer: normalizer)
            frame = try json.frame()
            decoder = try json.decoder(special: added.specialIDs)
            special = SpecialTokens(configuration, vocabulary)
            identity = json.identity()
        case .vocabulary:
            let bert = try BertVocabulary(files)
            (vocabulary, model, normalizer, preTokenizer) = (bert.vocabulary, bert.model, .bert(bert.normalizer), .bert)
            added = AddedTokens(bert.added, normalizer: normalizer)
            special = bert.special
            frame = ([special.cls].compactMap { $0 }, [special.sep].compactMap { $0 })
            let isSpecial = added.specialIDs
            decoder = Decoder(count: vocabulary.count, joining: .words) { [vocabulary] id in
                let (bytes, flags) = Decoder.wordPiece(vocabulary[id], prefix: Array("##".utf8), cleansUp: true)
                return (bytes, isSpecial.contains(id) ? flags.union(.special) : flags)
            }
            identity = files.model + Array("\(bert.normalizer)".utf8)
        case .sentencePiece:
            let library = try SentencePieceFolder(files)
            (vocabulary, model, normalizer, preTokenizer) = (library.vocabulary, .sentencePiece(library.model), nil, nil)
            added = AddedTokens(library.added, normalizer: nil)
            (special, frame, decoder) = (library.special, library.frame, library.decoder)
            identity = files.model
        }
        if files.kind != .json {
            for token in added.tokens { identity += token.content + [0] + Array("\(token.id)".utf8) }
        }
        fingerprint = identity.withUnsafeBufferPointer { bytes in
            [hash(bytes), hash(bytes, seed: 0x1656_67B1_9E37_79F9)].map { value in
                let digits = String(value, radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }.joined()
        }

        if case .wordPiece(let model, let longestWord) = model, case .bert(let normalizer)? = normalizer, case .bert? = preTokenizer {
            bert = BertEncoder(normalizer: normalizer, model: model, longestWord: longestWord)
        } else {
            bert = nil
        }
        switch preTokenizer {
        case .byteLevel(addsPrefixSpace: false, usesExpression: true): matcher = WordMatcher(style: .gpt2, digits: nil)
        case .sequence(let steps):
            if steps.count == 2, case .words(let words) = steps[0], case .byteLevel(addsPrefixSpace: false, usesExpression: false) = steps[1] {
                matcher = words
            } else {
                matcher = nil
            }
        default: matcher = nil
        }
    }

    /// Appends the ids of any bytes. `plainly` takes the rules one by one as they are written, the reference for the fast paths.
    func encode(_ text: Text, parsingSpecial: Bool, plainly: Bool = false, with scratch: EncodingScratch, into ids: inout IDBuffer) {
        if firstInvalidByte(text) != nil {
            var repaired = String(decoding: text, as: UTF8.self)
            repaired.withUTF8 { encodeValid($0, parsingSpecial, plainly, scratch, &ids) }
        } else {
            encodeValid(text, parsingSpecial, plainly, scratch, &ids)
        }
    }

    private func encodeValid(_ text: Text, _ parsingSpecial: Bool, _ plainly: Bool, _ scratch: EncodingScratch, _ ids: inout IDBuffer) {
        if added.isAbsent(from: text, normalized: false) {
            return encodeSection(text, isStart: true, parsingSpecial, plainly, scratch, &ids)
        }
        for part in added.parts(of: text, normalized: false, parsingSpecial: parsingSpecial) {
            switch part {
            case .token(let id, _): ids.append(id)
            case .text(let range):
                let section = Text(rebasing: text[range])
                encodeSection(section, isStart: range.lowerBound == 0, parsingSpecial, plainly, scratch, &ids)
            }
        }
    }

    private func encodeSection(
        _ text: Text, isStart: Bool, _ parsingSpecial: Bool, _ plainly: Bool, _ scratch: EncodingScratch, _ ids: inout IDBuffer
    ) {
        if let bert, !plainly, !added.hasNormalizedTokens, bert.encode(text, with: scratch, into: &ids) { return }
        switch normalizer {
        case nil: encodeNormalized(text, isStart: isStart, parsingSpecial, plainly, scratch, &ids)
        case .nfc? where !plainly && isStableInNFC(text): encodeNormalized(text, isStart: isStart, parsingSpecial, plainly, scratch, &ids)
        case let normalizer?:
            normalizer.normalize(Array(text)).withUnsafeBufferPointer {
                encodeNormalized($0, isStart: isStart, parsingSpecial, plainly, scratch, &ids)
            }
        }
    }

    private func encodeNormalized(
        _ text: Text, isStart: Bool, _ parsingSpecial: Bool, _ plainly: Bool, _ scratch: EncodingScratch, _ ids: inout IDBuffer
    ) {
        if !added.hasNormalizedTokens || added.isAbsent(from: text, normalized: true) {
            return encodeWords(text, isStart: isStart, plainly, scratch, &ids)
        }
        for part in added.parts(of: text, normalized: true, parsingSpecial: parsingSpecial) {
            switch part {
            case .token(let id, _): ids.append(id)
            case .text(let range):
                encodeWords(Text(rebasing: text[range]), isStart: isStart && range.lowerBound == 0, plainly, scratch, &ids)
            }
        }
    }

    private func encodeWords(_ text: Text, isStart: Bool, _ plainly: Bool, _ scratch: EncodingScratch, _ ids: inout IDBuffer) {
        guard let base = text.baseAddress, !text.isEmpty else { return }
        func each(_ body: (Text) -> Void) {
            let whole = 0..<text.count
            guard let preTokenizer else { return body(text) }
            preTokenizer.split(text, [whole], isStart: isStart) { text, words in
                for word in words where !word.isEmpty { body(Text(rebasing: text[word])) }
            }
        }
        switch model {
        case .sentencePiece(let model): model.encode(text, into: &ids)
        case .wordPiece(let model, _): each { model.encode($0, into: &ids) }
        case .bpe(let model):
            guard let matcher, !plainly else { return each { model.encode($0, with: scratch, into: &ids) } }
            var start = 0
            let classes = ScalarClasses.table
            while start < text.count {
                let end = matcher.end(base, text.count, from: start, classes: classes)
                model.encode(Text(start: base + start, count: end - start), with: scratch, into: &ids)
                start = end
            }
        }
    }
}
