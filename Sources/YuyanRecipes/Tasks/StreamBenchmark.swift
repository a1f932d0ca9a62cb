import Foundation
import YuyanData
import YuyanGeneration
import YuyanModels
import YuyanTensor
import YuyanText
import YuyanTraining

/// Stream a text far beyond the context through a model, with each way of forgetting.
public struct StreamBenchmark: ModelTask {
    /// What is read by what.
    public struct Subject: ConfigurationSection {
        public static let help = [
            "model": "the folder of a model, or of the run that made it",
            "files": "the text that is streamed: files, folders or globs, one after the other",
            "tokens": "tokens to stream",
            "bucket": "tokens that one point of the curves stands for",
            "sinks": "first tokens that stay in the endless cache",
            "recompute_every": "reading the whole window again for each token crawls: only each such token is predicted that way",
        ]

        public var model = InputPath("")
        public var files: [InputPath] = []
        public var tokens = 100_000
        public var bucket = 2_000
        public var sinks = 4
        public var recomputeEvery = 20

        public init() {}
    }

    public static let task = "stream"
    public static let summary = "Stream a long text: perplexity and time per token with sinks, with a plain window, and reading again"
    public static let required = ["model", "files"]
    public static let positional: String? = "files"

    public var subject = Subject()
    public var settings = NoSettings()
    public var compute = ComputeSettings()

    public init() {}

    public func validate() throws {
        try compute.validate()
        try requirePositive(["tokens": subject.tokens, "bucket": subject.bucket, "recompute_every": subject.recomputeEvery])
        guard subject.bucket <= subject.tokens / 10 else {
            throw InvalidValue("bucket", "must be at most a tenth of the tokens, found \(subject.bucket)")
        }
        guard subject.recomputeEvery <= subject.bucket else {
            throw InvalidValue("recompute_every", "must be at most the bucket, found \(subject.recomputeEvery)")
        }
        if subject.sinks < 0 { throw InvalidValue("sinks", "must be 0 or above, found \(subject.sinks)") }
    }

    /// The course of one way of forgetting.
    public struct Course: Encodable, Sendable {
        var name: String
        /// e^(mean loss) of all tokens; beyond the first context only.
        var perplexity: Double
        var perplexityBeyondContext: Double
        /// The median over all tokens, over the first tenth of the buckets and over the last.
        var millisecondsPerToken: Double
        var millisecondsAtFirst: Double
        var millisecondsAtLast: Double
        /// For each bucket.
        var perplexities: [Double]
        var milliseconds: [Double]
        /// What the cache holds at the end.
        var cacheMb: Double?
    }

    /// What was measured; the pictures are `perplexity.svg` and `time.svg`.
    public struct Report: Encodable, Sendable {
        var model: String
        var parameters: Int
        var dtype: String
        var contextLength: Int
        var tokens: Int
        var courses: [Course]
    }

    public func run(in stage: StageContext) async throws -> Report { try await measure(stage) }

    @Engine private func measure(_ stage: StageContext) async throws -> Report {
        let (model, tokenizer, description) = try ModelFolder(subject.model).loadPair(compute)
        stage.console.line(description)
        guard model.positionsAreRelative, !(model is any EncoderDecoder) else {
            throw RequestError(
                "\(subject.model.path): only a decoder with relative positions, as the LLaMA family has, can go on without reading again")
        }
        var reader = try RecordReader(subject.files.map(\.url.path))
        var tokens: [Int32] = []
        while tokens.count <= subject.tokens, let record = try reader.next() {
            tokens += tokenizer.encode(record.text, addingSpecialTokens: false)
        }
        guard tokens.count > subject.tokens else {
            throw RequestError("the text has \(tokens.count) tokens, and \(subject.tokens + 1) are to be streamed; give more files or fewer tokens")
        }
        tokens = Array(tokens.prefix(subject.tokens + 1))
        let context = model.contextLength
        guard subject.tokens > context else {
            throw RequestError("\(subject.tokens) tokens fit the model's context of \(context); give more, of which something must be forgotten")
        }
        let ways: [(String, any Reading)] = [
            ("sinks + window", CachedReading(model, KVCache(endlessFor: model, batch: 1, sinks: subject.sinks), isSliding: false)),
            ("plain window", CachedReading(model, KVCache(endlessFor: model, batch: 1, sinks: 0), isSliding: false)),
            ("slide, half read again", CachedReading(model, KVCache(for: model, batch: 1, capacity: context), isSliding: true)),
            ("read again each token", RepeatedReading(model: model, every: subject.recomputeEvery)),
        ]
        var courses: [Course] = []
        for (name, reading) in ways {
            let meter = ProgressMeter(name, total: subject.tokens, unit: "tokens", on: stage.console)
            var losses: [Double?] = []
            var seconds: [Double?] = []
            for position in 0..<subject.tokens {
                let step = try withInference { try reading.step(tokens, position) }
                losses.append(step?.loss)
                seconds.append(step?.seconds)
                if position % 500 == 499 {
                    try Task.checkCancellation()
                    meter.update(position + 1)
                    await Task.yield()
                }
            }
            meter.finish()
            courses.append(course(name, losses, seconds, context: context, bytes: reading.cacheBytes))
        }
        try draw(courses, model: description, to: stage.output)
        return Report(
            model: subject.model.path, parameters: model.parameterCount, dtype: model.dtype.name, contextLength: context, tokens: subject.tokens,
            courses: courses)
    }

    private func course(_ name: String, _ losses: [Double?], _ seconds: [Double?], context: Int, bytes: Int?) -> Course {
        func perplexity(_ part: Range<Int>) -> Double {
            let part = losses[part].compactMap { $0 }
            return exp(part.reduce(0, +) / Double(max(1, part.count)))
        }
        func median(_ part: Range<Int>) -> Double {
            let part = seconds[part].compactMap { $0 }.sorted()
            return part.isEmpty ? .nan : 1e3 * part[part.count / 2]
        }
        let count = losses.count
        let buckets = stride(from: 0, through: count - subject.bucket, by: subject.bucket).map { $0..<$0 + subject.bucket }
        return Course(
            name: name, perplexity: perplexity(0..<count), perplexityBeyondContext: perplexity(min(context, count)..<count),
            millisecondsPerToken: median(0..<count), millisecondsAtFirst: median(0..<max(1, count / 10)),
            millisecondsAtLast: median(count - max(1, count / 10)..<count), perplexities: buckets.map(perplexity), milliseconds: buckets.map(median),
            cacheMb: bytes.map { Double($0) / 1e6 })
    }

    private func draw(_ courses: [Course], model: String, to folder: URL) throws {
        func plot(_ title: String, _ vertical: String, _ values: KeyPath<Course, [Double]>) -> CurvePlot {
            let curves = courses.map { course in
                CurvePlot.Curve(
                    course.name,
                    course[keyPath: values].enumerated().map { .init(step: ($0 + 1) * subject.bucket, value: $1) })
            }
            return CurvePlot(title: title, subtitle: model, horizontal: "已读 tokens read", vertical: vertical, curves: curves)
        }
        let plots = [
            "perplexity": plot("困惑度 Perplexity far beyond the context", "困惑度 perplexity", \.perplexities),
            "time": plot("时间 Time of a token", "毫秒 ms", \.milliseconds),
        ]
        for (name, plot) in plots { try Data(plot.svg().utf8).write(to: folder.appending(path: "\(name).svg"), options: .atomic) }
    }
}

/// A way of predicting each token of a text from what is before it.
@Engine private protocol Reading: AnyObject {
    /// The loss of token position + 1, and how long it took to predict; nil where this one is left out.
    func step(_ tokens: [Int32], _ position: Int) throws -> (loss: Double, seconds: Double)?
    var cacheBytes: Int? { get }
}

/// One token at a time into a cache that forgets by itself, or slides: then its most recent half is read again (`GenerationConfiguration.Overflow.slide`).
@Engine private final class CachedReading: Reading {
    private let model: any LanguageModel
    private let isSliding: Bool
    private var cache: KVCache

    init(_ model: any LanguageModel, _ cache: KVCache, isSliding: Bool) {
        (self.model, self.cache, self.isSliding) = (model, cache, isSliding)
    }

    var cacheBytes: Int? { cache.byteCount }

    func step(_ tokens: [Int32], _ position: Int) throws -> (loss: Double, seconds: Double)? {
        try predicting(model, tokens[position + 1]) {
            try cache.makeRoom()
            var count = 1
            if isSliding, cache.room == 0 {
                cache = KVCache(for: model, batch: 1, capacity: model.contextLength)
                count = model.contextLength / 2
            }
            return try model(input(tokens[position + 1 - count..<position + 1], model), ForwardContext(cache: cache))
        }
    }
}

/// The whole window, without any cache.
@Engine private final class RepeatedReading: Reading {
    private let model: any LanguageModel
    private let every: Int

    init(model: any LanguageModel, every: Int) { (self.model, self.every) = (model, every) }

    var cacheBytes: Int? { nil }

    func step(_ tokens: [Int32], _ position: Int) throws -> (loss: Double, seconds: Double)? {
        guard position % every == every - 1 else { return nil }
        return try predicting(model, tokens[position + 1]) {
            try model(input(tokens[max(0, position + 1 - model.contextLength)..<position + 1], model), ForwardContext())
        }
    }
}

@Engine private func input(_ tokens: ArraySlice<Int32>, _ model: any LanguageModel) throws -> Tensor {
    try Tensor(tokens.map(Int64.init), shape: [1, tokens.count], device: model.device)
}

/// −ln p(next) behind the last of the hidden states that `read` gives, and the time of all of it.
@Engine private func predicting(_ model: any LanguageModel, _ next: Int32, _ read: () throws -> Tensor) throws -> (loss: Double, seconds: Double) {
    let clock = ContinuousClock()
    let start = clock.now
    let hidden = try read()
    let logits = try model.logits(hidden.select(1, hidden.size(1) - 1)).to(.float32, device: .cpu)
    let loss = try logits.crossEntropy(Tensor([Int64(next)])).item()
    return (loss, (clock.now - start) / .seconds(1))
}
