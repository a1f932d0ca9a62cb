import Foundation

/// The files a tokenizer was made of, in memory: what is loaded is what is saved.
struct TokenizerFiles: Sendable {
    enum Kind: String {
        case json = "tokenizer.json"
        case vocabulary = "vocab.txt"
        case sentencePiece = "tokenizer.model"
    }

    /// Files that hold a tokenizer, each by itself.
    static let names = ["tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model"]

    let kind: Kind
    let model: [UInt8]
    /// `tokenizer_config.json`, an empty object without one.
    var configuration: JSON
    /// Where the files came from, for messages.
    let origin: String

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
        func readObject(_ name: String) throws -> JSON? {
            guard let bytes = try read(name) else { return nil }
            let json = try JSON(parsing: bytes, name: folder.appending(path: name).path)
            guard json.members != nil else { throw TokenizerError("\(folder.appending(path: name).path) is not a JSON object.") }
            return json
        }
        origin = folder.path
        var configuration = try readObject("tokenizer_config.json") ?? .object([])
        if let template = try read("chat_template.jinja"), configuration["chat_template"] == nil {
            configuration.set("chat_template", .string(template))
        }
        for (key, value) in try readObject("special_tokens_map.json")?.members ?? [] {
            let key = String(decoding: key, as: UTF8.self)
            if configuration[key] == nil { configuration.set(key, value) }
        }
        self.configuration = configuration

        let library = try read("tokenizer.model") ?? read("spiece.model")
        if let bytes = try read("tokenizer.json") {
            // A folder may hold a unigram model twice, for Python's tokenizers and for the library, which knows all of its rules.
            let isUnigram = try library != nil && readObject("tokenizer.json")?["model"]?["type"]?.text == "Unigram"
            (kind, model) = isUnigram ? (.sentencePiece, library ?? []) : (.json, bytes)
        } else if let bytes = try read("vocab.txt") {
            (kind, model) = (.vocabulary, bytes)
        } else if let library {
            (kind, model) = (.sentencePiece, library)
        } else if FileManager.default.fileExists(atPath: folder.path) {
            throw TokenizerError("\(folder.path) holds no tokenizer: none of tokenizer.json, vocab.txt, tokenizer.model and spiece.model is there.")
        } else {
            throw TokenizerError("The tokenizer folder \(folder.path) does not exist.")
        }
    }

    var modelName: String { "\(origin)/\(kind.rawValue)" }

    /// What `added_tokens_decoder` of the configuration adds to the vocabulary.
    func addedTokens() throws -> [AddedTokens.Token] {
        try (configuration["added_tokens_decoder"]?.members ?? []).map { key, value in
            guard let id = Int32(String(decoding: key, as: UTF8.self)), 0..<(1 << 24) ~= id, let content = value["content"]?.bytes else {
                throw TokenizerError("\(origin)/tokenizer_config.json: an entry of \"added_tokens_decoder\" has no id for a key or no \"content\".")
            }
            return AddedTokens.Token(value, id: id, content: content)
        }
    }

    /// The configuration with what transformers needs to load the folder.
    private func completed() -> JSON {
        var configuration = configuration
        if configuration["tokenizer_class"] == nil {
            let name =
                switch kind {
                case .json: "PreTrainedTokenizerFast"
                case .vocabulary: "BertTokenizer"
                case .sentencePiece: "LlamaTokenizer"
                }
            configuration.set("tokenizer_class", .string(name))
            if kind == .sentencePiece {
                // A bare model file asks for neither; LlamaTokenizer would add a BOS.
                configuration.set("add_bos_token", .bool(false))
                configuration.set("add_eos_token", .bool(false))
            }
        }
        return configuration
    }

    func write(to folder: URL, alongside others: [(name: String, bytes: [UInt8])] = []) throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, bytes) in [(kind.rawValue, model), ("tokenizer_config.json", completed().serialized() + [0x0A])] + others {
                try Data(bytes).write(to: folder.appending(path: name), options: .atomic)
            }
        } catch {
            throw TokenizerError("The tokenizer cannot be written to \(folder.path): \(error.localizedDescription)")
        }
    }
}

extension JSON {
    /// The token that a configuration names for a role, written as text or as an added token.
    func tokenName(_ role: String) -> String? {
        self[role]?.text ?? self[role]?["content"]?.text
    }
}

extension SpecialTokens {
    /// The roles of `tokenizer_config.json`; `defaults` names tokens for roles that it does not give.
    init(_ configuration: JSON, _ vocabulary: Vocabulary, defaults: [String: String] = [:]) {
        func id(_ role: String) -> Int32? {
            (configuration.tokenName(role) ?? defaults[role]).flatMap { vocabulary.id(of: $0) }
        }
        (bos, eos, pad, unk) = (id("bos_token"), id("eos_token"), id("pad_token"), id("unk_token"))
        (cls, sep, mask) = (id("cls_token"), id("sep_token"), id("mask_token"))
        // The one name for the end of a text that GPT-style files without a configuration share.
        if eos == nil, configuration["eos_token"] == nil { eos = vocabulary.id(of: "<|endoftext|>") }
    }
}
