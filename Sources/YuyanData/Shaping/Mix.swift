public import Foundation
public import YuyanText

/// What went into a mixture and what came of it. Its file is a `StepReport` with `unit` and `sources` beside: records that were never drawn are
/// `dropped` as `not_drawn`, copies beyond the first are `added`.
public struct MixReport: Codable, Sendable, Hashable {
    /// One of the sources.
    public struct Source: Codable, Sendable, Hashable {
        /// As configured.
        public var name: String
        /// What it has.
        public var input = Amount()
        /// Tokens that it has, where a tokenizer was given.
        public var inputTokens: Int?
        /// What went into the mixture, copies included.
        public var output = Amount()
        /// Tokens that went into the mixture, where a tokenizer was given.
        public var outputTokens: Int?
        /// Passes over it, in the mixture's unit: 0.5 is a half of it, 2 all of it twice.
        public var epochs = 0.0
        /// Its share of the mixture, in the mixture's unit.
        public var share = 0.0
    }

    /// As any step reports.
    public var step = StepReport(step: "mix")
    /// What shares and epochs are measured in.
    public var unit: MixUnit
    /// In the order of the configuration.
    public var sources: [Source]

    private enum CodingKeys: String, CodingKey {
        case unit, sources
    }

    init(_ configuration: MixConfiguration) {
        unit = configuration.unit
        sources = configuration.sources.map { Source(name: $0.name) }
    }

    public init(from decoder: any Decoder) throws {
        step = try StepReport(from: decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        unit = try values.decode(MixUnit.self, forKey: .unit)
        sources = try values.decode([Source].self, forKey: .sources)
    }

    public func encode(to encoder: any Encoder) throws {
        try step.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(unit, forKey: .unit)
        try values.encode(sources, forKey: .sources)
    }
}

extension MixReport: CustomStringConvertible {
    /// Lines for a person: the whole, then each source.
    public var description: String {
        let whole = "mixed: \(grouped(step.kept.records)) records, \(grouped(step.kept.characters)) characters; by \(unit):"
        let lines = sources.map { source in
            let epochs = (source.epochs * 100).rounded() / 100
            return "\(source.name): \(shortNumber((source.share * 1000).rounded() / 10)) %, \(grouped(source.output.records)) of "
                + "\(grouped(source.input.records)) records, \(shortNumber(epochs)) epochs"
        }
        let rest = step.emptyRecords > 0 ? ["empty: \(grouped(step.emptyRecords)) more records hold nothing and were passed over"] : []
        return ([whole] + lines + rest).joined(separator: "\n")
    }
}

/// Mixes sources into one stream in `folder` (`documents/`, `dropped/` with what was never drawn, `report.json`).
///
/// Every stretch of the stream holds the sources in their shares, within one record (of the largest size) at each point: the order is that of
/// worst-case fair weighted fair queueing (Bennett and Zhang, "WF²Q", 1996). From its second epoch on a record's id ends in `@2`, `@3`, …. The
/// same sources in the same order give the same stream. Records wait on disk (in `folder`); memory does not grow with them.
///
/// - Parameters:
///   - tokenizer: needed where the unit is tokens; given otherwise, tokens are counted for the report.
///   - progress: called after each few megabytes read and written.
/// - Throws: `DataError` where the settings contradict each other, a source holds nothing, or a limit on epochs cannot be kept, with what could.
@discardableResult
public func mix(
    _ configuration: MixConfiguration, tokenizer: Tokenizer? = nil, to folder: URL, progress: (MixReport) -> Void = { _ in }
) throws -> MixReport {
    _ = try configuration.rule()
    guard configuration.unit != .tokens || tokenizer != nil else { throw DataError("a mixture measured in tokens needs a tokenizer") }
    let start = ContinuousClock.now
    let output = try StageOutput(folder)
    var report = MixReport(configuration)
    let encoder = try tokenizer.map(DocumentEncoder.init)
    var spools: [RecordSpool] = []
    for (index, source) in configuration.sources.enumerated() {
        let spool = try RecordSpool(output.scratch, name: "source-\(index)")
        var batches = try RecordBatches(source.paths, for: folder)
        if encoder != nil { (report.sources[index].inputTokens, report.sources[index].outputTokens) = (0, 0) }
        while let batch = try batches.next() {
            let encoded = try parallelMap(batch) { record in
                (record: SpooledRecord(record), tokens: try encoder?.encode(record).ids.count ?? 0)
            }
            for (record, tokens) in encoded {
                try spool.append(record, tokens: tokens)
                report.sources[index].input.add(characters: record.characters)
                report.step.input.add(characters: record.characters)
                report.sources[index].inputTokens? += tokens
            }
            progress(report)
        }
        try spool.finish()
        report.step.emptyRecords += batches.emptyRecords
        spools.append(spool)
    }
    let streams = spools.enumerated().map { index, spool in
        MixStream(
            spool, unit: configuration.unit,
            seed: configuration.order == .shuffled ? mix(UInt64(bitPattern: Int64(configuration.seed)) ^ UInt64(index)) : nil)
    }
    try interleave(streams, targets: configuration.targets(sizes: streams.map(\.size)), to: output, report: &report, progress: progress)
    for (index, stream) in streams.enumerated() {
        let value = "\(report.sources[index].output.records) of \(stream.spool.count) records of \(report.sources[index].name)"
        for place in min(report.sources[index].output.records, stream.spool.count)..<stream.spool.count {
            let number = stream.number(at: place)
            report.step.dropped["not_drawn", default: Amount()].add(characters: stream.spool[number].characters)
            try output.drop(stream.spool.record(number), Drop(step: "mix", reason: "not_drawn", value: value))
        }
    }
    report.step.seconds = start.duration(to: .now).inSeconds
    try output.finish(report)
    return report
}

/// Deals the records of all streams out in their shares.
private func interleave(
    _ streams: [MixStream], targets: [Int], to output: StageOutput, report: inout MixReport, progress: (MixReport) -> Void
) throws {
    let plans = zip(streams, targets).map { $0.plan(target: $1) }
    let whole = plans.reduce(0) { $0 + $1.amount }
    var drawn = streams.map { _ in 0 }
    var done = streams.map { _ in 0 }
    var sum = 0
    var unreported = 0
    for _ in 0..<plans.reduce(0, { $0 + $1.records }) {
        // Of the streams that are not ahead of their share, the one that would be the first to finish its next record if all ran side by side.
        var best: (index: Int, finish: Int)?
        for (index, plan) in plans.enumerated() where drawn[index] < plan.records {
            guard product(done[index], whole) <= product(sum, plan.amount) else { continue }
            let finish = done[index] + streams[index].measure(at: drawn[index])
            if let other = best, product(finish, plans[other.index].amount) >= product(other.finish, plan.amount) { continue }
            best = (index, finish)
        }
        guard let (index, finish) = best else { preconditionFailure("one stream at least is not ahead") }
        let stream = streams[index]
        let (number, epoch) = (stream.number(at: drawn[index]), drawn[index] / stream.spool.count)
        var record = try stream.spool.record(number)
        let entry = stream.spool[number]
        if epoch > 0 {
            record.id += "@\(epoch + 1)"
            report.step.added += 1
        }
        try output.keep(record)
        sum += finish - done[index]
        (done[index], drawn[index]) = (finish, drawn[index] + 1)
        report.step.kept.add(characters: entry.characters)
        report.sources[index].output.add(characters: entry.characters)
        report.sources[index].outputTokens? += entry.tokens
        unreported += entry.characters
        if unreported > 4 << 20 {
            progress(report)
            unreported = 0
        }
    }
    for (index, plan) in plans.enumerated() {
        report.sources[index].epochs = Double(plan.amount) / Double(streams[index].size)
        report.sources[index].share = whole > 0 ? Double(plan.amount) / Double(whole) : 0
    }
    progress(report)
}

/// Two factors' product in full, for exact comparisons of fractions.
private func product(_ one: Int, _ other: Int) -> (high: UInt, low: UInt) {
    let product = UInt(one).multipliedFullWidth(by: UInt(other))
    return (product.high, product.low)
}

/// The records of one source, epoch after epoch.
private struct MixStream {
    let spool: RecordSpool
    private let unit: MixUnit
    private let seed: UInt64?

    init(_ spool: RecordSpool, unit: MixUnit, seed: UInt64?) {
        self.spool = spool
        self.unit = unit
        self.seed = seed
        size = 0
        for number in 0..<spool.count { size += measure(spool[number]) }
    }

    /// All of it once, in the unit.
    private(set) var size: Int

    /// Which record comes at `place` of the stream that repeats it.
    func number(at place: Int) -> Int {
        guard let seed else { return place % spool.count }
        return Permutation(count: spool.count, seed: seed, epoch: place / spool.count)[place % spool.count]
    }

    /// How much the record at `place` is, in the unit.
    func measure(at place: Int) -> Int { measure(spool[number(at: place)]) }

    private func measure(_ entry: RecordSpool.Entry) -> Int {
        switch unit {
        case .records: 1
        case .characters: max(entry.characters, 1)
        case .tokens: max(entry.tokens, 1)
        }
    }

    /// How many records come nearest to `target`, and how much they are.
    func plan(target: Int) -> (records: Int, amount: Int) {
        let epochs = target / size
        var (records, amount) = (epochs * spool.count, epochs * size)
        while amount < target {
            let next = measure(at: records)
            if amount + next - target > target - amount { break }
            amount += next
            records += 1
        }
        return (records, amount)
    }
}
