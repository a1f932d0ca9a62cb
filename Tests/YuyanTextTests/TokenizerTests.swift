import Foundation
import Testing

@testable import YuyanText

@Suite struct TokenizerTests {
    private func write(_ files: [String: String], to folder: URL) throws {
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
    }

    private func message(_ files: [String: String]) throws -> String {
        try withTemporaryFolder { folder in
            try write(files, to: folder)
            let error = #expect(throws: TokenizerError.self) { try Tokenizer(contentsOf: folder) }
            return error?.description ?? ""
        }
    }

    @Test func namesWhatIsWrong() throws {
        #expect(try message([:]).contains("holds no tokenizer"))
        #expect(try message(["tokenizer.json": "{\n\"a\": [1,\n}"]).contains("line 3"))
        #expect(try message(["tokenizer.json": "{}"]).contains("\"model\""))
        #expect(try message(["tokenizer.json": #"{"model": {"type": "Unigram", "vocab": []}}"#]).contains("the model Unigram is not supported"))
        #expect(
            try message(["tokenizer.json": #"{"normalizer": {"type": "Precompiled"}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#])
                .contains("the normalizer Precompiled is not supported"))
        #expect(
            try message([
                "tokenizer.json": #"{"pre_tokenizer": {"type": "UnicodeScripts"}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#
            ])
            .contains("the pre-tokenizer UnicodeScripts is not supported"))
        #expect(try message(["tokenizer.json": #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}"#]).contains("merge 1"))
        #expect(try message(["vocab.txt": "a\nb\n"]).contains("[UNK]"))
        #expect(try message(["tokenizer.model": "no model"]).contains("not a SentencePiece model"))
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(contentsOf: URL(filePath: "/nowhere/at/all")) }
        #expect(error?.description.contains("/nowhere/at/all") ?? false)
    }

    @Test func readsBertConfiguration() throws {
        let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Fly", "fly", "燕", "##s", "é", "e"].joined(separator: "\n")
        try withTemporaryFolder { folder in
            try write(["vocab.txt": vocabulary], to: folder)
            let lower = try Tokenizer(contentsOf: folder)
            #expect(lower.encode("Flys 燕é") == [6, 8, 7, 10])
            #expect(lower.encode("fly", addingSpecialTokens: true) == [2, 6, 3])
            #expect(lower.special.pad == 0 && lower.special.mask == 4)
            try write(["tokenizer_config.json": #"{"do_lower_case": false, "strip_accents": false}"#], to: folder)
            let cased = try Tokenizer(contentsOf: folder)
            #expect(cased.encode("Flys 燕é") == [5, 8, 7, 9])
            #expect(cased.fingerprint != lower.fingerprint)
        }
    }

    @Test func aTextBeginsAsTheConfigurationAsks() throws {
        try withTemporaryFolder { folder in
            try FileManager.default.copyItem(at: fixtures.appending(path: "bpe-llama/tokenizer.json"), to: folder.appending(path: "tokenizer.json"))
            // Its post-processor puts <s>, which is 1, before a text.
            for (name, expected) in [("<s>", 1), ("</s>", nil)] as [(String, Int32?)] {
                try write(["tokenizer_config.json": "{\"bos_token\": \"\(name)\"}"], to: folder)
                let tokenizer = try Tokenizer(contentsOf: folder)
                #expect(tokenizer.special.bos != nil && tokenizer.leadingBOS == expected)
            }
        }
    }

    /// Tokens that Swift's string comparison takes for equal are different tokens.
    @Test func keepsCanonicallyEquivalentTokensApart() throws {
        let json = #"{"model": {"type": "BPE", "vocab": {"\u00e9": 0, "e\u0301": 1, "e": 2, "\u0301": 3}, "merges": [["e", "\u0301"]]}}"#
        try withTemporaryFolder { folder in
            try write(["tokenizer.json": json], to: folder)
            let tokenizer = try Tokenizer(contentsOf: folder)
            #expect(tokenizer.encode("\u{e9}e\u{301}") == [0, 1])
            #expect(tokenizer.id(of: "\u{e9}") == 0 && tokenizer.id(of: "e\u{301}") == 1)
        }
    }

    @Test func encodesTextsAndLinesInOrder() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .bpe, vocabularySize: 400, texts: [sampleText])
        let texts = (0..<500).map { "第\($0)行：雨燕\(String(repeating: "飞", count: $0 % 7))" } + ["", "末"]
        let expected = texts.map { tokenizer.encode($0) }
        #expect(tokenizer.encode(texts: texts) == expected)
        #expect(tokenizer.encode(texts: []).isEmpty)
        try withTemporaryFolder { folder in
            let (input, output) = (folder.appending(path: "in"), folder.appending(path: "out"))
            try Data(texts.joined(separator: "\n").utf8).write(to: input)
            try Data().write(to: output)
            let handle = try FileHandle(forWritingTo: output)
            try tokenizer.encodeLines(from: FileHandle(forReadingFrom: input), to: handle)
            try handle.close()
            let written = try String(decoding: Data(contentsOf: output), as: UTF8.self)
            #expect(written == expected.map { $0.map(String.init).joined(separator: " ") + "\n" }.joined())
        }
    }

    @Test(.enabled(if: testData != nil, "YUYAN_TEST_DATA names no folder of real tokenizers"))
    func fastPathsAreThePlainRules() throws {
        let data = try #require(testData)
        let text = try String(decoding: Data(contentsOf: data.appending(path: "text/weekly/issue-100.md")), as: UTF8.self)
        for name in ["bert-base-chinese", "gpt-neox"] {
            let tokenizer = try Tokenizer(contentsOf: data.appending(path: "tokenizers/\(name)"))
            #expect(tokenizer.encode(text) == tokenizer.encode(text, parsingSpecial: true, plainly: true))
        }
    }

    @Test(.enabled(if: testData != nil, "YUYAN_TEST_DATA names no folder of real tokenizers"))
    func decodesAsTheLibraryDoes() throws {
        let data = try #require(testData)
        for name in ["llama2", "chinese-llama-sp"] {
            let tokenizer = try Tokenizer(contentsOf: data.appending(path: "tokenizers/\(name)"))
            guard case .sentencePiece(let library) = tokenizer.pipeline.model else { throw CancellationError() }
            var generator = SplitMix(state: 1)
            for length in [1, 2, 3, 5, 30] {
                for _ in 0..<300 {
                    // Many from the bytes at the start, so that whole and broken scalars come up.
                    let ids = (0..<length).map { _ in
                        Int32.random(in: Bool.random(using: &generator) ? 3..<260 : 3..<library.count, using: &generator)
                    }
                    let decoded = tokenizer.decode(ids)
                    #expect(Array(decoded.utf8) == Array(library.decode(ids).utf8), "\(name): \(ids)")
                    #expect(Array(tokenizer.stream(ids).utf8) == Array(decoded.utf8), "\(name): \(ids)")
                }
            }
        }
    }

    @Test func streamsOnlyCompleteScalars() throws {
        let tokenizer = try TokenizerTrainer.train(kind: .bpe, vocabularySize: 261, texts: [sampleText])
        var detokenizer = StreamingDetokenizer(tokenizer)
        #expect(tokenizer.encode("燕😀").map { detokenizer.append($0) } == ["", "", "燕", "", "", "", "😀"])
        #expect(detokenizer.finish().isEmpty)
        #expect(tokenizer.encode("燕").dropLast().map { detokenizer.append($0) } == ["", ""])
        #expect(detokenizer.finish() == "\u{FFFD}")
        #expect(detokenizer.append(100_000).isEmpty && detokenizer.append(-1).isEmpty)
    }

    @Test func finishesLongWordsQuickly() throws {
        let tokenizer = try Tokenizer(contentsOf: fixtures.appending(path: "bpe-llama3"))
        let ids = tokenizer.encode(String(repeating: "雨燕飞", count: 200_000))
        #expect(tokenizer.decode(ids).utf8.count == 1_800_000)
    }
}
