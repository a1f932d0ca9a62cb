import Foundation
public import YuyanData
import YuyanText

/// Tokenise documents into memory-mapped shards.
public struct PackTask: TaskConfiguration {
    public static let task = "pack"
    public static let summary = "Tokenise documents into shards for pre-training"
    public static let help = [
        "tokenizer": "a Hugging Face folder with a tokenizer",
        "files": "data files, folders of them, globs, or the folders of earlier stages",
        "validation_fraction": "share of the documents that is held back to measure by",
    ]
    public static let required = ["tokenizer", "files"]
    public static let positional: String? = "files"
    public static let isResumable = true

    public var tokenizer = InputPath("")
    public var files: [InputPath] = []
    public var validationFraction = 0.01

    public init() {}

    public func validate() throws {
        guard (0..<1).contains(validationFraction) else {
            throw InvalidValue("validation_fraction", "must be at least 0 and below 1, found \(validationFraction)")
        }
    }

    public func run(in stage: StageContext) async throws -> PackReport {
        let tokenizer = try ModelFolder.tokenizer(at: tokenizer)
        let meter = ProgressMeter("packing", total: nil, unit: "documents", on: stage.console)
        do {
            let report = try pack(files.map(\.url.path), tokenizer: tokenizer, to: stage.output, validationFraction: validationFraction) {
                meter.update($0.train.documents + $0.validation.documents, note: "\($0.train.tokens.formatted()) tokens")
                if Interrupt.requested { throw CancellationError() }
            }
            meter.finish()
            // The tokenizer travels with the shards that it made.
            try tokenizer.save(to: stage.output)
            return report
        } catch is CancellationError {
            throw Interrupted(saved: "what is packed so far is in \(stage.output.relativePath); go on with: \(stage.resumeCommand)")
        }
    }
}
