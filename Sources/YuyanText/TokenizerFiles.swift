import Foundation

/// The files a tokenizer was made of, in memory: what is loaded is what is saved.
struct TokenizerFiles: Sendable {
    enum Kind: String {
        case json = "tokenizer.json"
        case vocabulary = "vocab.txt"
        case sentencePiece = "tokenizer.model"
    }

    var kind: Kind
    var model: [UInt8]
    /// `tokenizer_config.json`, an empty object without one.
    var configuration: JSON = .object([])
    /// Where the files came from, for messages.
    var origin: String

    init(kind: Kind, model: [UInt8], configuration: JSON, origin: String) {
        self.kind = kind
        self.model = model
        self.configuration = configuration
        self.origin = origin
    }

    init(folder: URL) throws {
        func read(_ name: String) throws -> [UInt8]? {
            let file = folder.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { return nil }
            do { return Array(try Data(contentsOf: file)) } catch { throw TokenizerError("\(file.path) cannot be read.") }
        }
        origin = folder.path
        if let bytes = try read("tokenizer_config.json") {
            configuration = try JSON(parsing: bytes, name: folder.appending(path: "tokenizer_config.json").path)
        }
        if let template = try read("chat_template.jinja"), configuration["chat_template"] == nil {
            configuration.set("chat_template", .string(template))
        }
        if let bytes = try read("special_tokens_map.json") {
            let map = try JSON(parsing: bytes, name: folder.appending(path: "special_tokens_map.json").path)
            for (key, value) in map.members ?? [] {
                let key = String(decoding: key, as: UTF8.self)
                if configuration[key] == nil { configuration.set(key, value) }
            }
        }
        let sentencePiece = try read("tokenizer.model") ?? read("spiece.model")
        if let bytes = try read("tokenizer.json") {
            (kind, model) = (.json, bytes)
            // T5 and our own unigram folders hold the same tokenizer twice; the library's model is the one with all its rules.
            let json = try JSON(parsing: bytes, name: folder.appending(path: "tokenizer.json").path)
            if let sentencePiece, json["model"]?["type"]?.text == "Unigram" { (kind, model) = (.sentencePiece, sentencePiece) }
        } else if let bytes = try read("vocab.txt") {
            (kind, model) = (.vocabulary, bytes)
        } else if let sentencePiece {
            (kind, model) = (.sentencePiece, sentencePiece)
        } else if FileManager.default.fileExists(atPath: folder.path) {
            throw TokenizerError("\(folder.path) holds no tokenizer: none of tokenizer.json, vocab.txt, tokenizer.model and spiece.model is there.")
        } else {
            throw TokenizerError("The tokenizer folder \(folder.path) does not exist.")
        }
    }

    var chatTemplate: ChatTemplate? {
        configuration["chat_template"]?.text.flatMap { ChatTemplate(jinja: $0) }
    }

    var modelName: String { "\(origin)/\(kind.rawValue)" }

    func write(to folder: URL) throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(model).write(to: folder.appending(path: kind.rawValue), options: .atomic)
            try Data(configuration.serialized() + [0x0A]).write(to: folder.appending(path: "tokenizer_config.json"), options: .atomic)
        } catch {
            throw TokenizerError("The tokenizer cannot be written to \(folder.path): \(error.localizedDescription)")
        }
    }
}
