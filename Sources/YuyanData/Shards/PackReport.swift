public import Foundation

/// Which part of a packed corpus: what is trained on, or what is held back to measure.
public enum PackSplit: String, Sendable, Codable, CaseIterable {
    /// What the model learns from.
    case train
    /// What it never sees in training.
    case validation
}

/// What `pack` made, kept as `pack.json` beside the shards. It is written last: a folder without it is unfinished.
public struct PackReport: Sendable, Codable, Hashable {
    /// Of one split.
    public struct Part: Sendable, Codable, Hashable {
        /// Documents and conversations.
        public var documents = 0
        /// Tokens, an end-of-document token for each document included.
        public var tokens = 0
        /// Unicode scalars of text, chat markers not included.
        public var characters = 0
        /// UTF-8 bytes of the same text.
        public var bytes = 0
        /// File names of the shards, in order.
        public var shards: [String] = []
    }

    /// What is trained on.
    public var train = Part()
    /// What is held back.
    public var validation = Part()
    /// Files read.
    public var files = 0
    /// Records passed over because they hold nothing to learn from.
    public var emptyRecords = 0
    /// Of the tokenizer.
    public var tokenizerFingerprint = ""
    /// Of the tokenizer: its largest id + 1.
    public var vocabularySize = 0

    static let fileName = "pack.json"

    /// The report of a folder that `pack` filled. Throws where there is none: the folder is not one, or packing did not finish.
    public init(contentsOf folder: URL) throws {
        let file = folder.appendingPathComponent(Self.fileName)
        guard let data = try? Data(contentsOf: file) else {
            throw DataError(
                "\(folder.path): no packed corpus here (there is no \(Self.fileName)); pack one, or pack it again if that was interrupted")
        }
        do {
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch {
            throw DataError("\(file.path): not a report of a packed corpus; pack it again")
        }
    }

    init() {}

    func save(to folder: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let file = folder.appendingPathComponent(Self.fileName)
        do { try encoder.encode(self).write(to: file, options: .atomic) } catch { throw DataError.system("write it", file) }
    }
}
