import Foundation
import Testing
import YuyanText

@testable import YuyanData

/// A folder that goes away with the value.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("yuyan-data-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        return file.path
    }

    func file(_ name: String) -> URL { url.appendingPathComponent(name) }
}

/// The folder of public data sets, where the environment names one.
let testData = ProcessInfo.processInfo.environment["YUYAN_TEST_DATA"].map { URL(fileURLWithPath: $0) }
let needsTestData: Comment = "YUYAN_TEST_DATA does not name the folder of public data sets"

/// The sentence of the error that `body` throws.
func errorSentence(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}

func readRecords(_ paths: String...) throws -> [Record] {
    var reader = try RecordReader(paths)
    return try reader.readAll()
}

extension Record {
    var document: Document? { if case .document(let document) = self { document } else { nil } }
    var conversation: Conversation? { if case .conversation(let conversation) = self { conversation } else { nil } }
}

extension Conversation {
    /// `user: …` and so on, a line for each turn.
    var transcript: [String] { messages.map { "\($0.role): \($0.content)" } }
}

/// Byte-level: a text has one token per UTF-8 byte, and the ids 256… are the special tokens of every tokenizer of ours.
func byteTokenizer() throws -> Tokenizer {
    // GPT-2's names for bytes: printable Latin-1 stands for itself, the rest is moved up to U+0100 and beyond.
    var names: [String] = []
    var moved: UInt32 = 0x100
    for byte in UInt32(0)...255 {
        let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
        names.append(String(Unicode.Scalar(isPrintable ? byte : moved).map(Character.init) ?? "?"))
        if !isPrintable { moved += 1 }
    }
    let special = TokenizerTrainer.specialTokens
    let json: [String: Any] = [
        "version": "1.0",
        "added_tokens": special.enumerated().map { index, token -> [String: Any] in
            [
                "id": 256 + index, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
            ]
        },
        "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
        "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
        "model": [
            "type": "BPE", "vocab": Dictionary(uniqueKeysWithValues: (names + special).enumerated().map { ($1, $0) }), "merges": [String](),
        ],
    ]
    let folder = try TemporaryFolder()
    try JSONSerialization.data(withJSONObject: json).write(to: folder.file("tokenizer.json"))
    try Data(#"{"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}"#.utf8).write(to: folder.file("tokenizer_config.json"))
    return try Tokenizer(contentsOf: folder.url)
}

/// The next batch, which must be there.
func nextBatch(_ source: inout some BatchSource) throws -> Batch {
    guard let batch = try source.next() else { throw DataError("the source is at its end") }
    return batch
}

/// A number for what batches hold, to compare it with what they held before.
func checksum(_ batches: [Batch]) -> UInt64 {
    var checksum = Checksum()
    for batch in batches {
        for values in [batch.inputs, batch.labels, batch.documents ?? [], batch.positions ?? []] {
            for value in values { checksum.update(UInt64(UInt32(bitPattern: value))) }
        }
        for example in batch.examples {
            for value in [example.number, example.label] + example.reads { checksum.update(UInt64(value)) }
        }
    }
    return checksum.value
}
