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

    /// A Python with llama-cpp-python.
    static let python = ProcessInfo.processInfo.environment["YUYAN_LLAMA_CPP_PYTHON"]

    @Test(
        .enabled(if: python != nil, "set YUYAN_LLAMA_CPP_PYTHON to a Python with llama-cpp-python"), arguments: [TokenizerTrainer.Kind.bpe, .unigram])
    @Engine func llamaCppFindsTheSameTokens(kind: TokenizerTrainer.Kind) throws {
        let tokenizer = try TokenizerTrainer.train(kind: kind, vocabularySize: kind == .bpe ? 330 : 400, texts: Self.texts)
        let described = try GGUFTokenizer(tokenizer)
        let folder = FileManager.default.temporaryDirectory.appending(path: "yuyan-gguf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appending(path: "a.gguf")
        let model = try LLaMA(
            LLaMAConfiguration(vocabularySize: 416, width: 32, feedForwardWidth: 32, layers: 1, heads: 2, contextLength: 32), seed: 1)
        try saveGGUF(model, to: url, type: .f32, tokenizer: described, name: "a")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "YuyanModelsTests/Fixtures/gguf_files.py")
        var compared = 0
        for text in Self.questions {
            let ids = tokenizer.encode(text)
            // Its unigram models know no bytes.
            guard kind == .bpe || !ids.contains(where: { described.kinds[Int($0)] == .byte }) else { continue }
            compared += 1
            let process = Process()
            process.executableURL = URL(fileURLWithPath: try #require(Self.python))
            process.arguments = [script.path, "tokenize", url.path, text]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let json = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(try JSONDecoder().decode([Int32].self, from: json) == ids, "\(text)")
        }
        #expect(compared >= 3)
    }
}
