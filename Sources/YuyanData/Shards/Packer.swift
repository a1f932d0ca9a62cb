import Foundation
import YuyanText

/// Deals encoded documents out to the shards of both splits.
struct Packer {
    var report = PackReport()
    /// What went in so far, to go on after an interruption.
    var position = PackInput.Position()
    private let folder: URL
    /// Shards are written here and moved to `folder` at the end, so that an earlier corpus stays whole until then.
    private let work: URL
    /// Of everything that the shards depend on; nil where an interrupted run cannot be gone on with.
    private let identity: String?
    /// Documents whose hash is below it are held back.
    private let threshold: UInt64
    private var train: ShardSeries
    private var validation: ShardSeries
    /// Until a document is held back by its hash: that with the lowest hash so far (and its copies), out of the training stream.
    /// If none ever is, this one is.
    private var candidates: [EncodedDocument] = []

    init(tokenizer: Tokenizer, folder: URL, validationFraction: Double, tokensPerShard: Int, identity: String?) throws {
        precondition(tokensPerShard > 0, "a shard holds at least one token")
        self.folder = folder
        self.identity = identity
        let work = folder.appendingPathComponent("packing.tmp")
        self.work = work
        threshold = UInt64(validationFraction * 0x1p64)
        func series(_ split: PackSplit, from state: ShardSeries.State? = nil) throws -> ShardSeries {
            try ShardSeries(
                folder: work, split: split, tokensPerShard: tokensPerShard, tokenizerFingerprint: tokenizer.fingerprint,
                vocabularySize: tokenizer.vocabularySize, from: state)
        }
        // What is damaged is made again from the beginning.
        if let identity, let journal = PackJournal.load(from: work, identity: identity), let train = try? series(.train, from: journal.train),
            let validation = try? series(.validation, from: journal.validation)
        {
            (self.train, self.validation) = (train, validation)
            (report, position, candidates) = (journal.report, journal.position, journal.candidates)
        } else {
            try? FileManager.default.removeItem(at: work)
            try makeFolder(work)
            (train, validation) = (try series(.train), try series(.validation))
            report.tokenizerFingerprint = tokenizer.fingerprint
            report.vocabularySize = tokenizer.vocabularySize
        }
    }

    mutating func append(_ document: EncodedDocument) throws {
        if document.hash < threshold {
            try validation.append(document, to: &report.validation)
            try release()
        } else if threshold > 0, report.validation.documents == 0, document.hash <= candidates.first?.hash ?? .max {
            if document.hash != candidates.first?.hash { try release() }
            candidates.append(document)
        } else {
            try train.append(document, to: &report.train)
        }
    }

    /// Puts the candidates into the training stream.
    private mutating func release() throws {
        for document in candidates { try train.append(document, to: &report.train) }
        candidates = []
    }

    /// Takes away what another run could not go on from.
    func abandon() {
        guard PackJournal.load(from: work, identity: identity ?? "") == nil else { return }
        try? FileManager.default.removeItem(at: work)
    }

    /// Makes it possible to go on from here.
    func checkpoint() throws {
        guard let identity else { return }
        try PackJournal(
            identity: identity, position: position, report: report, train: train.checkpoint(), validation: validation.checkpoint(),
            candidates: candidates
        ).save(to: work)
    }

    mutating func finish() throws -> PackReport? {
        if report.train.documents > 0 {
            for document in candidates { try validation.append(document, to: &report.validation) }
        } else {
            try release()
        }
        report.train.shards = try train.finish()
        report.validation.shards = try validation.finish()
        let shards = report.train.shards + report.validation.shards
        let files = FileManager.default
        guard !shards.isEmpty else {
            try? files.removeItem(at: work)
            return nil
        }
        try? files.removeItem(at: folder.appendingPathComponent(PackReport.fileName))
        for old in (try? files.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        where old.pathExtension == TokenShardHeader.fileExtension {
            try? files.removeItem(at: old)
        }
        // From here on there is nothing to go on with: shards leave one by one.
        try? files.removeItem(at: PackJournal.file(in: work))
        for shard in shards {
            let made = work.appendingPathComponent(shard)
            guard rename(made.path, folder.appendingPathComponent(shard).path) == 0 else { throw DataError.system("move it to \(folder.path)", made) }
        }
        try report.save(to: folder)
        try? files.removeItem(at: work)
        return report
    }
}
