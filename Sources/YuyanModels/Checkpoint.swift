public import Foundation
public import YuyanTensor

/// Reads the model of a Hugging Face folder, a folder of ModelScope's GPT-3, a GGUF file (`.gguf`), or a file of llama2.c (`.bin`, or a folder that holds
/// no other model).
///
/// - Parameters:
///   - dtype: nil: the one that the weights are stored in.
///   - dropout: in place of the configuration's, for training.
///   - lora: gives the model a new adapter, drawn from `seed`. A folder with an adapter gives its base with it.
///   - quantization: what the frozen matrices under an adapter are kept in, to save memory in training.
///   - integers: what matrices are rounded to for inference; nil: what they are stored in.
/// - Throws: `WeightsError` for a folder, configuration or file that cannot be used.
public func loadModel(
    from folder: URL, dtype: DType? = nil, device: Device = .cpu, dropout: Double? = nil, lora: LoRAConfiguration? = nil,
    quantization: Quantization? = nil, integers: IntegerQuantization? = nil, seed: UInt64 = 0
) throws -> any LanguageModel {
    guard integers == nil || lora == nil else { throw WeightsError("matrices of 8 or 4 bits are for inference; no adapter can be trained on them") }
    guard AdapterFolder.exists(in: folder) else {
        guard quantization == nil || lora != nil else {
            throw WeightsError("quantised weights cannot be trained themselves; train an adapter on them")
        }
        return try loadBase(from: folder, dtype: dtype, device: device, dropout: dropout) { source, _ in
            if let integers { try source.quantize(integers) }
            if let lora { try source.adapt(lora, quantization: quantization, seed: seed) }
        }
    }
    guard lora == nil else { throw WeightsError("\(folder.path): this is an adapter; merge it first (yuyan convert --merge), then train another") }
    let adapter = try AdapterFolder(folder)
    guard let base = adapter.base, FileManager.default.fileExists(atPath: base) else {
        throw WeightsError(
            "\(folder.path): the adapter's model \"\(adapter.base ?? "")\" is not there; set base_model_name_or_path in adapter_config.json to its folder"
        )
    }
    guard integers == nil || adapter.quantization == nil else {
        throw WeightsError(
            "\(folder.path): this adapter was trained on rounded matrices; merge it first (yuyan convert --merge), then quantise the whole")
    }
    return try loadBase(from: URL(fileURLWithPath: base), dtype: dtype, device: device, dropout: dropout) { source, prefix in
        if let integers { try source.quantize(integers) }
        source.adapt(adapter, prefix: prefix, keepsQuantized: quantization != nil && quantization == adapter.quantization)
    }
}

/// Reads a model; `adapt` is given the source of its weights and the prefix of its checkpoints before it is built.
///
/// - Parameter newTokens: rows that its embedding gets besides.
private func loadBase(
    from folder: URL, dtype: DType?, device: Device, dropout: Double?, newTokens: Int = 0,
    _ adapt: (ParameterSource, _ prefix: String) throws -> Void
) throws -> any LanguageModel {
    if let place = LLaMA2CFile.place(in: folder) {
        let file = try LLaMA2CFile(place)
        let tensors = try file.tensors()
        let source = ParameterSource(of: place, dtype: dtype ?? .float32, device: device) { tensors[$0] }
        try adapt(source, "")
        var configuration = file.configuration
        configuration.dropout = dropout ?? 0
        configuration.vocabularySize += newTokens
        return try LLaMA(configuration, source)
    }
    if folder.pathExtension == "gguf" { return try loadGGUF(folder, dtype: dtype, device: device, dropout: dropout, newTokens: newTokens, adapt) }
    let file = try ConfigurationFile(folder)
    guard let head = try file.decode(TaskHeadFile.self).head else {
        return try loadWeights(of: file, in: folder, dtype: dtype, device: device, dropout: dropout, newTokens: newTokens, adapt)
    }
    let decoder = try loadWeights(of: file, in: folder, dtype: dtype, device: device, dropout: dropout, newTokens: newTokens) { source, prefix in
        source.setAside = [TaskModel.scoreName]
        try adapt(source, prefix)
    }
    let score = try Weights(folder: folder).tensor(TaskModel.scoreName)
    let expected = [head.outputs, try decoder.outputWeight.size(1)]
    guard score.shape == expected else {
        throw WeightsError(
            "\(folder.path): \(TaskModel.scoreName) has shape \(score.shape), \(head.outputs) labels and the model's width ask for "
                + "\(expected)")
    }
    return TaskModel(decoder, head, score: try score.to(decoder.dtype, device: device).clone(), dropout: dropout ?? 0)
}

/// The model of a folder whose vocabulary grows by some tokens.
func loadDecoder(
    from folder: URL, dtype: DType?, device: Device, dropout: Double?, newTokens: Int, seed: UInt64
) throws -> any LanguageModel {
    try loadBase(from: folder, dtype: dtype, device: device, dropout: dropout, newTokens: newTokens) { source, _ in
        if newTokens > 0 { try source.grow(by: newTokens, seed: seed) }
    }
}

/// What the configuration of a folder says of a task head; nil where the model has none.
public func taskHead(of folder: URL) throws -> TaskHead? {
    guard LLaMA2CFile.place(in: folder) == nil, !AdapterFolder.exists(in: folder) else { return nil }
    return try ConfigurationFile(folder).decode(TaskHeadFile.self).head
}

private func loadWeights(
    of file: ConfigurationFile, in folder: URL, dtype: DType?, device: Device, dropout: Double?, newTokens: Int,
    _ adapt: (ParameterSource, _ prefix: String) throws -> Void
) throws -> any LanguageModel {
    let stored = try file.quantization()
    func source(prefix: String = "") throws -> ParameterSource {
        let source = ParameterSource(try Weights(folder: folder), prefix: prefix, dtype: dtype ?? file.storedDType ?? .float32, device: device)
        try adapt(source, prefix)
        guard let stored else { return source }
        guard source.adapter == nil else {
            throw WeightsError(
                "\(folder.path): its matrices are rounded to \(stored.rawValue) for inference; train on the model that it was made from")
        }
        guard source.integers == nil || source.integers == stored else {
            throw WeightsError("\(folder.path): its matrices are rounded to \(stored.rawValue) already; quantise the model that it was made from")
        }
        try source.quantize(stored, stored: true)
        return source
    }
    switch file.kind.modelType {
    case let type where type == "gpt3" || type == nil && ModelScopeFolder.hasParts(folder):
        let scope = try ModelScopeFolder(folder, file.decode(ModelScopeConfiguration.self))
        return try GPT.load(modelScope: scope, dtype: dtype, device: device, dropout: dropout, newTokens: newTokens) { try adapt($0, "transformer.") }
    case "gpt2":
        var configuration = try file.decode(GPTConfiguration.self)
        configuration.vocabularySize += newTokens
        if let dropout { (configuration.residualDropout, configuration.embeddingDropout) = (dropout, dropout) }
        return try GPT(configuration, source(prefix: "transformer."))
    case "openai-gpt":
        var configuration = try file.decode(GPT1File.self).configuration
        configuration.vocabularySize += newTokens
        if let dropout { (configuration.residualDropout, configuration.embeddingDropout) = (dropout, dropout) }
        return try GPT1(configuration, source(prefix: "transformer."))
    case let member? where LLaMAConfiguration.Member(rawValue: member) != nil:
        var configuration = try file.decode(LLaMAConfiguration.self)
        configuration.dropout = dropout ?? 0
        configuration.vocabularySize += newTokens
        return try LLaMA(configuration, source())
    case "t5", "mt5":
        var configuration = try file.decode(T5Configuration.self)
        configuration.vocabularySize += newTokens
        if let dropout { configuration.dropout = dropout }
        let weights = try source()
        // transformers from 5 on writes that every T5 is tied, and the output matrix of one that is not.
        if !configuration.scalesOutput, weights.holds("lm_head.weight") { configuration.tiesEmbedding = false }
        return try T5(configuration, weights)
    case let other:
        let known = ["gpt2", "openai-gpt", "gpt3"] + LLaMAConfiguration.Member.allCases.map(\.rawValue) + ["t5", "mt5"]
        throw WeightsError(
            "\(file.url.path): model_type \(other.map { "\"\($0)\"" } ?? "(missing)") is not supported; \(known.joined(separator: ", ")) are")
    }
}

/// What the weights of a Hugging Face folder are stored in, by its `config.json`; nil where it does not say.
public func storedDType(of folder: URL) throws -> DType? {
    if LLaMA2CFile.place(in: folder) != nil { return .float32 }
    if folder.pathExtension == "gguf" { return try GGUFFile(folder).entry("token_embd.weight")?.type.dtype }
    if AdapterFolder.exists(in: folder), let base = try AdapterFolder(folder).base { return try storedDType(of: URL(fileURLWithPath: base)) }
    return try ConfigurationFile(folder).storedDType
}

/// The name of our layout of rounded matrices in `config.json`.
private let quantizationMethod = "yuyan"

/// `config.json`.
private struct ConfigurationFile {
    struct Kind: Decodable {
        var modelType: String?
        var torchDtype: String?
        var dtype: String?
        var quantization: Quantization?

        struct Quantization: Decodable {
            var method: String?
            var bits: Int?
            var groupSize: Int?

            enum CodingKeys: String, CodingKey {
                case method = "quant_method"
                case bits
                case groupSize = "group_size"
            }
        }

        enum CodingKeys: String, CodingKey {
            case modelType = "model_type"
            case torchDtype = "torch_dtype"
            case dtype
            case quantization = "quantization_config"
        }
    }

    let url: URL
    private let data: Data
    private(set) var kind = Kind()

    init(_ folder: URL) throws {
        url = folder.appending(path: "config.json")
        guard let data = try? Data(contentsOf: url) else { throw WeightsError("\(folder.path) holds no model: there is no config.json in it") }
        self.data = data
        kind = try decode(Kind.self)
    }

    /// What the matrices are rounded to; nil: they are not.
    func quantization() throws -> IntegerQuantization? {
        guard let stored = kind.quantization else { return nil }
        guard stored.method == quantizationMethod, let scheme = IntegerQuantization(bits: stored.bits ?? 0, groupSize: stored.groupSize ?? 0) else {
            throw WeightsError(
                "\(url.path): quantization_config: quant_method \((stored.method ?? "").quoted) with bits \(stored.bits ?? 0) and group_size "
                    + "\(stored.groupSize ?? 0) is not supported; \(quantizationMethod.quoted) with 8 or 4 bits and groups of a multiple of 32 (or -1) is"
            )
        }
        return scheme
    }

    var storedDType: DType? { (kind.dtype ?? kind.torchDtype).flatMap(DType.init(name:)) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as WeightsError {
            throw WeightsError("\(url.path): \(error)")
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw WeightsError("\(url.path): \(key): \(context.debugDescription)")
        } catch {
            throw WeightsError("\(url.path) is not a model's configuration in JSON")
        }
    }
}

/// The tokens that every generation with a model needs to know: `generation_config.json`.
public struct GenerationTokens: Codable, Sendable, Hashable {
    public var bos: Int?
    /// Generation ends at any of these.
    public var eos: [Int]
    public var pad: Int?

    enum CodingKeys: String, CodingKey {
        case bos = "bos_token_id"
        case eos = "eos_token_id"
        case pad = "pad_token_id"
    }

    public init(bos: Int? = nil, eos: [Int], pad: Int? = nil) { (self.bos, self.eos, self.pad) = (bos, eos, pad) }

    /// What `generation_config.json` of a folder says, else its `config.json`, or the tokenizer in a GGUF file; nil where nothing is said. Tokens beyond
    /// the vocabulary, which Chinese models inherited from GPT-2's defaults, are not there.
    public init?(contentsOf folder: URL) throws {
        if folder.pathExtension == "gguf" {
            guard let tokens = Self(try GGUFFile(folder)) else { return nil }
            self = tokens
            return
        }
        func object(_ name: String) throws -> [String: Any]? {
            guard let data = try? Data(contentsOf: folder.appending(path: name)) else { return nil }
            guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
                throw WeightsError("\(folder.appending(path: name).path) is not JSON")
            }
            return object
        }
        let configuration = try object("config.json")
        let vocabularySize = configuration?["vocab_size"] as? Int ?? .max
        for object in [try object("generation_config.json"), configuration] {
            func tokens(_ key: String) -> [Int] {
                (object?[key] as? [Int] ?? (object?[key] as? Int).map { [$0] } ?? []).filter { 0..<vocabularySize ~= $0 }
            }
            // ModelScope's GPT-3 calls it `eod_id`.
            let eos = ["eos_token_id", "eod_id"].lazy.map(tokens).first { !$0.isEmpty } ?? []
            guard !eos.isEmpty else { continue }
            self.init(bos: tokens("bos_token_id").first, eos: eos, pad: tokens("pad_token_id").first)
            return
        }
        return nil
    }
}

/// Writes `config.json`, `generation_config.json` and the weights so that transformers loads them as they are. The folder is made if needed.
///
/// - Parameter dtype: what the weights are stored in; nil: as they are.
public func saveModel(_ model: any LanguageModel, to folder: URL, tokens: GenerationTokens?, dtype: DType? = nil) throws {
    guard model.adapter?.quantized.isEmpty ?? true else {
        throw WeightsError("the model's matrices are quantised and cannot be written as a checkpoint; save its adapter")
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func write(_ object: [String: any Sendable], _ name: String) throws {
        let json = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try json.write(to: folder.appending(path: name), options: .atomic)
    }
    var configuration = model.configurationJSON
    configuration["dtype"] = (dtype ?? model.dtype).name
    if let scheme = model.quantized.first?.matrix.scheme {
        let kind: [String: any Sendable] = ["quant_method": quantizationMethod, "bits": scheme.bits, "group_size": scheme.groupSize]
        configuration["quantization_config"] = kind
    }
    if let tokens {
        var generation: [String: any Sendable] = ["eos_token_id": tokens.eos]
        generation["bos_token_id"] = tokens.bos
        generation["pad_token_id"] = tokens.pad
        try write(generation, "generation_config.json")
        configuration["bos_token_id"] = tokens.bos ?? tokens.eos.first
        configuration["eos_token_id"] = tokens.eos.first
        configuration["pad_token_id"] = tokens.pad
    }
    try write(configuration, "config.json")
    let stored = try model.parameters.map { parameter in
        let value = try parameter.isTransposed ? parameter.value.transpose(0, 1) : parameter.value
        return (name: model.checkpointPrefix + parameter.name, value: try dtype.map { try value.to($0) } ?? value)
    }
    let rounded = model.quantized.flatMap(\.stored).map { (name: model.checkpointPrefix + $0.name, value: $0.value) }
    try Weights.save(stored + rounded, to: folder)
}

extension GPT {
    /// A new model with random weights.
    public convenience init(_ configuration: GPTConfiguration, seed: UInt64, dtype: DType = .float32, device: Device = .cpu) throws {
        try self.init(configuration, ParameterSource(seed: seed, dtype: dtype, device: device))
    }

    public var checkpointPrefix: String { "transformer." }

    public var configurationJSON: [String: any Sendable] {
        let c = configuration
        var json: [String: any Sendable] = [
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
            "vocab_size": c.vocabularySize, "n_positions": c.contextLength, "n_ctx": c.contextLength, "n_embd": c.width, "n_layer": c.layers,
            "n_head": c.heads, "activation_function": c.activation.rawValue, "resid_pdrop": c.residualDropout, "embd_pdrop": c.embeddingDropout,
            "attn_pdrop": 0.0, "layer_norm_epsilon": c.layerNormEpsilon, "initializer_range": c.initializerRange,
            "tie_word_embeddings": true, "use_cache": true,
        ]
        if let inner = c.feedForwardWidth { json["n_inner"] = inner }
        return json
    }
}
