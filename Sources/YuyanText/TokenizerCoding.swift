public import Foundation

extension Tokenizer {
    /// The ids of a text. Special tokens written in the text become their ids; `addingSpecialTokens` adds those that the
    /// post-processor puts around a text (`[CLS]` … `[SEP]`, a BOS).
    public func encode(_ text: String, addingSpecialTokens: Bool = false) -> [Int32] {
        var ids: [Int32] = []
        var text = text
        text.withUTF8 { encode(utf8: $0, addingSpecialTokens: addingSpecialTokens, into: &ids) }
        return ids
    }

    /// Appends the ids of UTF-8 bytes; an invalid sequence counts as U+FFFD, as Python's `bytes.decode("utf-8", "replace")` has it.
    public func encode(utf8: UnsafeBufferPointer<UInt8>, addingSpecialTokens: Bool = false, into ids: inout [Int32]) {
        fatalError()
    }

    /// The ids of a text in which nothing is special: a special token's name is encoded like any other text.
    public func encode(plain text: String) -> [Int32] {
        fatalError()
    }

    /// The ids of many texts, on all cores.
    public func encode(texts: [String], addingSpecialTokens: Bool = false) -> [[Int32]] {
        fatalError()
    }

    /// Reads lines (`\n`, the last may lack it) from `input` and writes one line of space-separated ids for each to `output`, on all cores, in order.
    public func encodeLines(from input: FileHandle, to output: FileHandle, addingSpecialTokens: Bool = false) throws {
        fatalError()
    }

    /// The text of ids; ids that the vocabulary lacks are left out.
    public func decode(_ ids: [Int32], skippingSpecialTokens: Bool = true) -> String {
        fatalError()
    }

    /// Writes the Hugging Face files into `folder`, which is created: the model file and `tokenizer_config.json` with the chat template.
    public func save(to folder: URL) throws {
        try pipeline.files.write(to: folder)
    }
}

/// Text from ids as they come: what is handed out is complete Unicode scalars, and all of it together is what `decode` gives.
public struct StreamingDetokenizer: Sendable {
    let tokenizer: Tokenizer

    public init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
    }

    /// The text that this token completes, often empty.
    public mutating func append(_ id: Int32) -> String {
        fatalError()
    }

    /// What is left at the end: an incomplete scalar comes out as U+FFFD.
    public mutating func finish() -> String {
        fatalError()
    }
}
