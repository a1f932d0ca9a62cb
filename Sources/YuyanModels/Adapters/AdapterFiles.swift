public import Foundation
import YuyanTensor

/// `adapter_config.json`, as peft writes it.
private struct AdapterFile: Codable {
    var peftType = "LORA"
    var taskType = "CAUSAL_LM"
    var base: String?
    var rank: Int
    var alpha: Double
    var dropout: Double?
    var targets: Targets?
    var transposed: Bool?
    var bias: String?
    var scalesByRoot: Bool?
    var modulesToSave: [String]?
    var isDecomposed: Bool?
    var rankPattern: [String: Int]?
    var alphaPattern: [String: Double]?
    var inferenceMode = true

    enum CodingKeys: String, CodingKey {
        case peftType = "peft_type"
        case taskType = "task_type"
        case base = "base_model_name_or_path"
        case rank = "r"
        case alpha = "lora_alpha"
        case dropout = "lora_dropout"
        case targets = "target_modules"
        case transposed = "fan_in_fan_out"
        case bias
        case scalesByRoot = "use_rslora"
        case modulesToSave = "modules_to_save"
        case isDecomposed = "use_dora"
        case rankPattern = "rank_pattern"
        case alphaPattern = "alpha_pattern"
        case inferenceMode = "inference_mode"
    }

    /// A list of names, or one name.
    enum Targets: Codable {
        case list([String])
        case one(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let list = try? value.decode([String].self) { self = .list(list) } else { self = .one(try value.decode(String.self)) }
        }

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .list(let list): try value.encode(list)
            case .one(let name): try value.encode(name)
            }
        }
    }
}

/// A folder in the layout of peft: `adapter_config.json` and `adapter_model.safetensors`.
public struct AdapterFolder {
    public let url: URL
    public let configuration: LoRAConfiguration
    /// The folder of the model that it belongs to, as it says.
    public let base: String?
    /// What its model's matrices were rounded to when it was trained; nil: they were not.
    public let quantization: Quantization?
    let weights: SafeTensorsFile

    static let configurationName = "adapter_config.json"
    static let weightsName = "adapter_model.safetensors"

    /// Whether a folder holds an adapter.
    public static func exists(in folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: configurationName).path)
    }

    /// Throws `WeightsError` for what is no adapter, or one of a kind that cannot be used here.
    public init(_ folder: URL) throws {
        url = folder
        let path = folder.appending(path: Self.configurationName).path
        let file: AdapterFile
        do { file = try JSONDecoder().decode(AdapterFile.self, from: Data(contentsOf: URL(fileURLWithPath: path))) } catch {
            throw WeightsError("\(path): not the configuration of a LoRA adapter: peft_type, r and lora_alpha are needed")
        }
        guard file.peftType == "LORA" else { throw WeightsError("\(path): peft_type \"\(file.peftType)\" is not supported; LORA is") }
        guard file.bias ?? "none" == "none" else {
            throw WeightsError("\(path): adapters that train biases are not supported; bias must be \"none\"")
        }
        let unknown = [
            ("modules_to_save", file.modulesToSave ?? [] != []), ("use_dora", file.isDecomposed == true),
            ("rank_pattern", file.rankPattern ?? [:] != [:]), ("alpha_pattern", file.alphaPattern ?? [:] != [:]),
        ]
        if let key = unknown.first(where: \.1)?.0 { throw WeightsError("\(path): \(key) is not supported") }
        guard file.rank > 0 else { throw WeightsError("\(path): r must be above 0, found \(file.rank)") }
        weights = try SafeTensorsFile(folder.appending(path: Self.weightsName))
        let noted = weights.metadata[Self.quantizationKey]
        quantization = noted.flatMap(Quantization.init(rawValue:))
        if let noted, quantization == nil { throw WeightsError("\(weights.url.path): quantization \(noted.quoted) is not known") }
        var targets: [String]
        switch file.targets {
        case .list(let list): targets = list
        case .one("all-linear"), nil: targets = []
        case .one(let name): targets = [name]
        }
        // What the file holds decides, whatever pattern chose it.
        let held = weights.names.compactMap { $0.hasSuffix(".lora_A.weight") ? String($0.dropLast(14)) : nil }
        if targets.isEmpty || held.contains(where: { name in !targets.contains { name.hasSuffix("." + $0) } }) {
            targets = held.map { name in
                let inner = name.dropFirst(AdapterFolder.prefix.count)
                return String(inner.hasPrefix("transformer.") ? inner.dropFirst("transformer.".count) : inner)
            }
        }
        configuration = LoRAConfiguration(
            rank: file.rank, alpha: file.alpha, dropout: file.dropout ?? 0, targets: targets, scalesByRoot: file.scalesByRoot ?? false)
        base = file.base
    }

    /// Of the file's metadata: peft has no key of its own for it.
    private static let quantizationKey = "quantization"

    /// What peft puts before the names of a model's parts.
    static let prefix = "base_model.model."

    /// Writes an adapter so that peft loads it onto the model in the folder `base`.
    public static func save(_ model: any LanguageModel, _ adapter: Adapter, base: URL, to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let c = adapter.configuration
        let names = Set(adapter.layers.map { String($0.name.split(separator: ".").last ?? "") })
        let file = AdapterFile(
            base: base.path, rank: c.rank, alpha: c.alpha, dropout: c.dropout, targets: .list(c.takesAll ? names.sorted() : c.targets),
            transposed: adapter.layers.contains(where: \.isTransposed), bias: "none", scalesByRoot: c.scalesByRoot)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(file).write(to: folder.appending(path: configurationName), options: .atomic)
        try writeSafeTensors(
            adapter.parameters.map { (name: prefix + model.checkpointPrefix + $0.name, value: $0.value) }, to: folder.appending(path: weightsName),
            metadata: ["format": "pt"].merging(adapter.quantization.map { [quantizationKey: $0.rawValue] } ?? [:]) { $1 })
    }
}
