import Foundation
import YuyanGeneration
import YuyanModels
public import YuyanTensor
import YuyanText

/// Copy a model to another folder, in another layout or precision if wished.
public struct ConvertTask: TaskConfiguration {
    /// The layouts that can be written.
    public enum Format: String, Codable, Sendable, CaseIterable {
        case hf, modelscope, gguf
    }

    /// Blocks of few bits.
    public enum Blocks: String, Codable, Sendable, CaseIterable {
        case q8 = "q8_0"
        case q4 = "q4_0"
    }

    public static let task = "convert"
    public static let summary = "Write a model in another layout or precision"
    public static let help = [
        "from": "a model: a folder of Hugging Face or ModelScope, the run that made it, or a file .gguf",
        "to": "the folder to write; for gguf a file .gguf, or a folder for model.gguf",
        "format":
            "hf: a Hugging Face folder, which transformers loads; modelscope: ModelScope's Chinese GPT-3; gguf: a file that llama.cpp runs",
        "parts": "modelscope: ranks of tensor parallelism that share the weights; by default one file as in base and large",
        "blocks": "gguf: q8_0 or q4_0 rounds matrices to 8 or 4 bits",
        "merge": "put an adapter into the matrices of its model, and write the whole",
        "quantize": "round matrices for inference: int8, int4, or with the inputs that share a scale (int8:32, int4:64)",
        "dtype": "precision of the weights; by default as they are",
    ]
    public static let required = ["from", "to"]
    public static let writesFiles = false

    public var from = InputPath("")
    public var to = ""
    public var format = Format.hf
    public var parts: Int?
    public var blocks: Blocks?
    public var merge = false
    public var quantize: IntegerQuantization?
    public var dtype: ComputeSettings.Precision?

    public init() {}

    /// What was written.
    public struct Summary: Encodable, Sendable {
        var output: String
        var parameters: Int
        var dtype: String
    }

    public func run(in stage: StageContext) async throws -> Summary {
        guard parts == nil || format == .modelscope else { throw RequestError("--parts belongs to --format modelscope") }
        guard blocks == nil || format == .gguf else { throw RequestError("--blocks belongs to --format gguf") }
        guard quantize == nil || format == .hf else {
            throw RequestError("--quantize belongs to --format hf; --blocks rounds the matrices of a GGUF file")
        }
        guard blocks == nil || dtype == nil else { throw RequestError("--blocks and --dtype exclude each other") }
        let folder = try ModelFolder(from)
        var target = InputPath(to).url
        if format == .gguf, target.pathExtension != "gguf" { target = target.appending(path: "model.gguf") }
        let mark = format == .gguf ? target : target.appending(path: "config.json")
        guard !FileManager.default.fileExists(atPath: mark.path) else {
            throw RequestError("\(to): there is a model already; choose another folder or remove it")
        }
        return try await convert(folder, to: target)
    }

    @Engine private func convert(_ folder: ModelFolder, to target: URL) throws -> Summary {
        if quantize != nil, merge { throw InvalidValue("quantize", "is for a whole model: merge first, then quantise the result") }
        let chosen = dtype.flatMap { DType(name: $0.rawValue) }
        let model = try loadModel(from: folder.url, dtype: quantize == nil ? nil : chosen, integers: quantize)
        if let adapter = model.adapter {
            guard merge else { throw RequestError("\(from): this is an adapter; --merge puts it into its model") }
            try adapter.merge()
        } else if merge {
            throw RequestError("\(from): there is no adapter here to merge")
        }
        let written = chosen ?? model.dtype
        let tokens = try GenerationTokens(contentsOf: folder.url)
        let tokenizer = try? folder.tokenizer()
        var name = written.name
        switch format {
        case .hf: try saveModel(model, to: target, tokens: tokens, dtype: written)
        case .modelscope:
            guard let gpt = model as? GPT else { throw RequestError("\(from): ModelScope's layout is for GPT-2 and GPT-3, this model is neither") }
            try gpt.save(asModelScope: parts.map(ModelScopeLayout.parts) ?? .whole, to: target, end: tokens?.eos.first, dtype: written)
        case .gguf:
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            let type = blocks.flatMap { GGUFType(rawValue: $0.rawValue) } ?? GGUFType(written)
            name = type.rawValue
            let described: GGUFTokenizer?
            do { described = try tokenizer.map(GGUFTokenizer.init) } catch let error as TokenizerError { throw RequestError(error.description) }
            try saveGGUF(model, to: target, type: type, tokenizer: described, name: folder.url.lastPathComponent)
        }
        // A file of its own has its tokenizer inside, for llama.cpp; a folder has it beside, for us.
        if format != .gguf { try tokenizer?.save(to: target) }
        if format == .gguf, InputPath(to).url.pathExtension != "gguf" { try tokenizer?.save(to: target.deletingLastPathComponent()) }
        return Summary(output: target.relativePath, parameters: model.parameterCount, dtype: name)
    }
}
