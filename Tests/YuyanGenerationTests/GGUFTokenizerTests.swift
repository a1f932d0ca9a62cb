import Foundation
import Testing
import YuyanModels
import YuyanTensor
import YuyanText

@testable import YuyanGeneration

/// Tokenizers in llama.cpp's terms.
@Suite struct GGUFTokenizerTests {
    static let texts = [
        "雨燕是一只鸟，它飞得很快。雨燕不停地飞，飞过天空。", "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
        "一二三四五，上山打老虎；老虎不在家，打到小松鼠。", "1234 567 89.5 and 2024-01-31", "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。",
    ]
    static let questions = texts + ["雨燕飞 the dog 42!", "never seen: naïve Ω", "  two spaces", "新词：电脑"]

    @Test func bytePairsKeepTheirOrder() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .bpe, vocabularySize: 320, texts: Self.texts)
        let described = try GGUFTokenizer(tokenizer)
        #expect(described.tokens.count == tokenizer.vocabularySize && described.eos == tokenizer.special.eos.map(Int.init))
        guard case .bytePairs(let merges, splitting: "starcoder") = described.model else {
            Issue.record("\(described.model)")
            return
        }
        // Every merge makes a token, in the order of their ids.
        let ids = merges.compactMap { tokenizer.id(of: $0.replacing(" ", with: "")) }
        #expect(ids.count == merges.count && ids == ids.sorted() && !ids.isEmpty)
        #expect(described.kinds.prefix(5) == [.control, .control, .control, .control, .control] && described.kinds[5] == .normal)
        #expect(described.chatTemplate == tokenizer.chatTemplate?.jinja)
    }

    @Test func unigramsKeepTheirScores() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .unigram, vocabularySize: 330, texts: Self.texts)
        let described = try GGUFTokenizer(tokenizer)
        guard case .unigram(let scores, _, let removesExtraSpaces) = described.model else {
            Issue.record("\(described.model)")
            return
        }
        #expect(scores.count == tokenizer.vocabularySize && !removesExtraSpaces && scores.contains { $0 < -1 })
        #expect(described.kinds.filter { $0 == .byte }.count == 256 && described.kinds.filter { $0 == .unknown }.count == 1)
    }

    @Test func piecesOfWordsMarkTheirBeginning() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .wordpiece, vocabularySize: 200, texts: Self.texts)
        let described = try GGUFTokenizer(tokenizer)
        #expect(described.model == .wordPieces)
        let own = (0..<Int32(tokenizer.vocabularySize)).compactMap { tokenizer.token(of: $0) }
        for (token, (theirs, kind)) in zip(own, zip(described.tokens, described.kinds)) where kind == .normal {
            #expect(theirs == (token.hasPrefix("##") ? String(token.dropFirst(2)) : "▁" + token))
        }
    }

    @Test func whatLlamaCppLacksIsSaid() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .character, vocabularySize: 300, texts: Self.texts)
        #expect(throws: TokenizerError.self) { try GGUFTokenizer(tokenizer) }
    }

    // MARK: SentencePiece's other rules

    /// A unigram model (sentencepiece_model.proto) of the characters of the texts, and of pieces that always stay whole.
    private static func unigram(whole: [String], addsSpace: Bool, removesSpaces: Bool) -> [UInt8] {
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        func piece(_ text: String, _ score: Float, _ kind: UInt8) -> [UInt8] {
            let number: [UInt8] = withUnsafeBytes(of: score.bitPattern.littleEndian, Array.init)
            return field(1, field(1, Array(text.utf8)) + [2 << 3 | 5] + number + [3 << 3, kind])
        }
        let text: String = Self.questions.joined() + "▁"
        let characters = Set(text.unicodeScalars).subtracting("ïΩ词 ".unicodeScalars).sorted()
        var model = piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2)
        for text in whole { model += piece(text, 0, 4) }
        for character in characters { model += piece(String(character), -5, 1) }
        model += field(2, [3 << 3, 1])
        return model + field(3, [3 << 3, addsSpace ? 1 : 0, 4 << 3, removesSpaces ? 1 : 0])
    }

    private func tokenizer(_ model: [UInt8], configuration: String = "{}") throws -> Tokenizer {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-gguf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(model).write(to: folder.appending(path: "spiece.model"))
        try Data(configuration.utf8).write(to: folder.appending(path: "tokenizer_config.json"))
        return try Tokenizer(contentsOf: folder)
    }

    static let whole = ["雨燕", "打老虎", "<sep>", "▁fox"]

    @Test func unigramsAreWrittenAsLlamaCppReadsThem() throws {
        let added = #"{"tokenizer_class": "T5Tokenizer", "added_tokens_decoder": {"200": {"content": "<tab>"}, "201": {"content": "〈甲〉"}}}"#
        let tokenizer = try tokenizer(Self.unigram(whole: Self.whole, addsSpace: false, removesSpaces: true), configuration: added)
        let described = try GGUFTokenizer(tokenizer)
        guard case .unigram(let scores, _, let removesExtraSpaces) = described.model else {
            Issue.record("\(described.model)")
            return
        }
        for (id, token) in Self.whole.enumerated() {
            #expect(described.tokens[3 + id] == token && described.kinds[3 + id] == .normal && scores[3 + id] == 0)
        }
        #expect(described.kinds[200] == .userDefined && described.kinds[201] == .normal && described.kinds[199] == .unused)
        #expect(!described.addsSpace && !removesExtraSpaces && described.addsEOS && described.eos == 1 && described.pad == 0)
    }

    // MARK: llama.cpp

    /// A Python with llama-cpp-python.
    static let python = ProcessInfo.processInfo.environment["YUYAN_LLAMA_CPP_PYTHON"]

    /// Texts that llama.cpp finds other tokens in, for a model of this tokenizer.
    @Engine private func differences(_ tokenizer: Tokenizer, _ texts: [String]) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-gguf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appending(path: "a.gguf")
        let model = try LLaMA(
            LLaMAConfiguration(
                vocabularySize: tokenizer.vocabularySize + 16, width: 32, feedForwardWidth: 32, layers: 1, heads: 2, contextLength: 32), seed: 1)
        try saveGGUF(model, to: url, type: .f32, tokenizer: GGUFTokenizer(tokenizer), name: "a")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "YuyanModelsTests/Fixtures/gguf_files.py")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = [script.path, "tokenize", url.path] + texts
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let json = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let theirs = try JSONDecoder().decode([[Int32]].self, from: json)
        try #require(theirs.count == texts.count)
        return zip(texts, theirs).filter { tokenizer.encode($0) != $1 }.map { text, ids in "\(text): \(tokenizer.encode(text)), there \(ids)" }
    }

    @Test(
        .enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"), arguments: [TokenizerTrainer.Kind.bpe, .unigram])
    @Engine func llamaCppFindsTheSameTokens(kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try TokenizerTrainer.train(kind: kind, vocabularySize: kind == .bpe ? 330 : 400, texts: Self.texts)
        let kinds = try GGUFTokenizer(tokenizer).kinds
        // Its unigram models know no bytes.
        let texts = Self.questions.filter { text in kind == .bpe || !tokenizer.encode(text).contains { kinds[Int($0)] == .byte } }
        #expect(texts.count >= 3)
        #expect(try differences(tokenizer, texts) == [])
    }

    /// T5's rules: a map of characters, a space before each text, several spaces are one.
    @Test(.enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"))
    @Engine func llamaCppNormalisesAlike() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "YuyanTextTests/Fixtures/sp-unigram")
        let texts = Self.questions + ["①ＡＢＣ ﬁ　全角", "e\u{301}\u{200B}…", "trailing  ", "a \t b\nc", "▁x▁", "鱻 Ж 😀😀"]
        #expect(try differences(Tokenizer(contentsOf: folder), texts) == [])
    }

    /// Pieces that stay whole, and characters whose first bytes are theirs.
    @Test(.enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"), arguments: [true, false])
    @Engine func llamaCppKeepsPiecesWhole(addsSpace: Bool) throws {
        let tokenizer = try tokenizer(Self.unigram(whole: Self.whole, addsSpace: addsSpace, removesSpaces: true))
        // Without a space before a text it leaves several as they are.
        let texts = (Self.questions + ["雨燕打老虎 fox<sep>fox", "飞鸟是老虎，<sep>雨水"]).filter { addsSpace || !$0.contains("  ") }
        #expect(try differences(tokenizer, texts) == [])
    }
}
