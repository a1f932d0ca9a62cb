import Foundation
import YuyanText

/// Measure how fast a tokenizer encodes the lines of files, on one thread and on all cores.
public struct TokenizeBenchmark: TaskConfiguration {
    public static let task = "tokenize"
    public static let summary = "Measure a tokenizer: megabytes and tokens per second"
    public static let help = [
        "tokenizer": "a Hugging Face folder with a tokenizer",
        "files": "UTF-8 text files to encode, line by line",
        "repeats": "passes over the files; the fastest counts",
    ]
    public static let required = ["tokenizer", "files"]
    public static let positional: String? = "files"
    public static let writesFiles = false

    public var tokenizer = InputPath("")
    public var files: [InputPath] = []
    public var repeats = 3

    public init() {}

    /// The measurement: megabytes are millions of bytes of UTF-8, newlines left out.
    public struct Measurement: Encodable, Sendable {
        var bytes: Int
        var lines: Int
        var tokens: Int
        var seconds: Double
        var megabytesPerSecond: Double
        var tokensPerSecond: Double
        var threads: Int
        var megabytesPerSecondAllThreads: Double
    }

    public func validate() throws {
        try requirePositive(["repeats": repeats])
    }

    public func run(in stage: StageContext) async throws -> Measurement {
        let tokenizer = try ModelFolder.tokenizer(at: tokenizer)
        let lines = try files.flatMap { file in try Data(contentsOf: file.url).split(separator: UInt8(ascii: "\n")).map { Array($0) } }
        let bytes = lines.reduce(0) { $0 + $1.count }
        guard bytes > 0 else { throw RequestError("\(files.map(\.path).joined(separator: ", ")): there is no text to measure with") }
        var tokens = 0
        let seconds = fastest {
            tokens = 0
            var ids: [Int32] = []
            for line in lines {
                ids.removeAll(keepingCapacity: true)
                line.withUnsafeBufferPointer { tokenizer.encode(utf8: $0, into: &ids) }
                tokens += ids.count
            }
        }
        let texts = lines.map { String(decoding: $0, as: UTF8.self) }
        let together = fastest { _ = tokenizer.encode(texts: texts) }
        return Measurement(
            bytes: bytes, lines: lines.count, tokens: tokens, seconds: seconds, megabytesPerSecond: Double(bytes) / seconds / 1e6,
            tokensPerSecond: Double(tokens) / seconds, threads: ProcessInfo.processInfo.activeProcessorCount,
            megabytesPerSecondAllThreads: Double(bytes) / together / 1e6)
    }

    private func fastest(_ work: () -> Void) -> Double {
        let clock = ContinuousClock()
        return (0..<repeats).map { _ in clock.measure(work).seconds }.min() ?? 0
    }
}
