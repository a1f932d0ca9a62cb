public import Foundation
public import YuyanModels
public import YuyanTensor
public import YuyanText

/// A model that the user named: a Hugging Face folder, a file of llama2.c, an adapter, or a run folder, which stands for its best or latest checkpoint.
public struct ModelFolder: Sendable {
    /// Where its `config.json` is.
    public let url: URL

    /// Throws `RequestError` where there is no model.
    public init(_ path: InputPath) throws {
        let folder = path.url
        // A file of llama2.c or llama.cpp is a whole model.
        if ["bin", "gguf"].contains(folder.pathExtension), FileManager.default.fileExists(atPath: folder.path) {
            url = folder
            return
        }
        func holdsModel(_ url: URL) -> Bool {
            FileManager.default.fileExists(atPath: url.appending(path: "config.json").path) || AdapterFolder.exists(in: url)
        }
        let candidates = [folder, folder.appending(path: "best"), folder.appending(path: "latest")]
        guard let found = candidates.first(where: holdsModel) else {
            throw RequestError("\(path): there is no model here: a folder with config.json and model.safetensors, or a training run, is expected")
        }
        url = found.resolvingSymlinksInPath()
    }

    /// The folder that a key `model` names, which may name a preset too. Throws `RequestError` where it is neither.
    init(orPreset name: String) throws {
        let path = InputPath(name)
        guard path.exists else {
            throw RequestError("model: \"\(name)\" is neither a preset nor a folder\(Suggestion.nearest(to: name, among: ModelPreset.names))")
        }
        try self.init(path)
    }

    /// The tokenizer that lies beside the weights: in the folder, or in that of the file.
    public func tokenizer() throws -> Tokenizer {
        let folder = ["bin", "gguf"].contains(url.pathExtension) ? url.deletingLastPathComponent() : url
        guard url.pathExtension != "gguf" || Tokenizer.exists(in: folder) else {
            throw RequestError(
                "\(url.path): the tokenizer inside a GGUF file is not read; put the model's tokenizer.json, vocab.txt, tokenizer.model or "
                    + "spiece.model beside it")
        }
        do { return try Tokenizer(contentsOf: folder) } catch let error as TokenizerError { throw RequestError(error.description) }
    }

    /// The tokenizer in a folder, or that of the model which a training run made.
    public static func tokenizer(at path: InputPath) throws -> Tokenizer {
        try Tokenizer(contentsOf: (try? ModelFolder(path))?.url ?? path.url)
    }

    /// The model, in the precision that the settings or its weights ask for, and a sentence on it.
    ///
    /// - Parameter integers: what its matrices are rounded to; nil: what they are stored in.
    @Engine public func load(_ compute: ComputeSettings, integers: IntegerQuantization? = nil) throws -> (
        model: any LanguageModel, description: String
    ) {
        let choice = try compute.choose(stored: try storedDType(of: url))
        let model = try loadModel(from: url, dtype: choice.dtype, device: choice.device, integers: integers)
        return (model, "\(url.lastPathComponent): \(model.parameterCount.formatted()) parameters, \(choice.description)")
    }

    /// What a benchmark measures: a preset with random weights and at least this context, or the model in a folder.
    @Engine static func model(
        _ name: String, vocabularySize: Int, contextLength: Int, lora: LoRAConfiguration? = nil, quantization: Quantization? = nil,
        integers: IntegerQuantization? = nil, _ compute: ComputeSettings
    ) throws -> any LanguageModel {
        let choice = try compute.choose()
        guard let preset = ModelPreset(name) else {
            let folder = try ModelFolder(orPreset: name)
            guard lora != nil else { return try folder.load(compute, integers: integers).model }
            return try loadModel(from: folder.url, dtype: choice.dtype, device: choice.device, lora: lora, quantization: quantization)
        }
        var changes = ModelPreset.Changes()
        changes.contextLength = max(preset.shape.contextLength, contextLength)
        return try preset.model(
            vocabularySize: vocabularySize, changes, lora: lora, quantization: quantization, integers: integers, seed: 0, dtype: choice.dtype,
            device: choice.device)
    }

    /// The model and the tokenizer, which must fit.
    @Engine public func loadPair(_ compute: ComputeSettings) throws -> (model: any LanguageModel, tokenizer: Tokenizer, description: String) {
        let tokenizer = try tokenizer()
        let (model, description) = try load(compute)
        guard tokenizer.vocabularySize <= model.vocabularySize else {
            throw RequestError(
                "\(url.path): the tokenizer has \(tokenizer.vocabularySize) tokens, the model's embedding only \(model.vocabularySize); they do not belong together"
            )
        }
        return (model, tokenizer, description)
    }
}
