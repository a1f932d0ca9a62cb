import Foundation
import YuyanModels
import YuyanTensor
import YuyanText

/// Copy a model to another folder, in another precision if wished.
public struct ConvertTask: TaskConfiguration {
    /// The layouts that can be written.
    public enum Format: String, Codable, Sendable, CaseIterable {
        case hf
    }

    public static let task = "convert"
    public static let summary = "Write a model in another layout or precision"
    public static let help = [
        "from": "the folder of a model, or of the run that made it",
        "to": "the folder to write",
        "format": "hf: a Hugging Face folder, which transformers loads",
        "merge": "put an adapter into the matrices of its model, and write the whole",
        "dtype": "precision of the weights; by default as they are",
    ]
    public static let required = ["from", "to"]
    public static let writesFiles = false

    public var from = InputPath("")
    public var to = ""
    public var format = Format.hf
    public var merge = false
    public var dtype: ComputeSettings.Precision?

    public init() {}

    /// What was written.
    public struct Summary: Encodable, Sendable {
        var output: String
        var parameters: Int
        var dtype: String
    }

    public func run(in stage: StageContext) async throws -> Summary {
        let folder = try ModelFolder(from)
        let target = InputPath(to).url
        guard !FileManager.default.fileExists(atPath: target.appending(path: "config.json").path) else {
            throw RequestError("\(to): there is a model already; choose another folder or remove it")
        }
        return try await convert(folder, to: target)
    }

    @Engine private func convert(_ folder: ModelFolder, to target: URL) throws -> Summary {
        let model = try loadModel(from: folder.url)
        if let adapter = model.adapter {
            guard merge else { throw RequestError("\(from): this is an adapter; --merge puts it into its model") }
            try adapter.merge()
        } else if merge {
            throw RequestError("\(from): there is no adapter here to merge")
        }
        let written = dtype.flatMap { DType(name: $0.rawValue) } ?? model.dtype
        try saveModel(model, to: target, tokens: try GenerationTokens(contentsOf: folder.url), dtype: written)
        if let tokenizer = try? folder.tokenizer() { try tokenizer.save(to: target) }
        return Summary(output: target.relativePath, parameters: model.parameterCount, dtype: written.name)
    }
}
