import Dispatch
public import Foundation
public import YuyanText

/// Tokenises the records of `paths` (files, folders, patterns, folders of stages) into token shards in `folder`, split into training and validation.
///
/// Documents keep their order; each ends with the tokenizer's end-of-document token, a pair is its two sides with a line break between, and a
/// conversation is written by the chat template. About `validationFraction` of the documents are held back, chosen by a hash of their text, so that the
/// choice never depends on order and copies of one text fall on one side; with two documents or more and a fraction above 0, at least one is. The same
/// input gives the same bytes, on any number of cores. Memory is bounded by a few batches of documents.
///
/// Killed at any moment and run again with the same input and settings, it goes on from where it last took stock (every 64 MB of text): finished shards
/// are verified, and the bytes are those of an uninterrupted run. Files that changed meanwhile, or another tokenizer, begin it anew.
///
/// - Parameters:
///   - tokensPerShard: where a new shard file is begun.
///   - progress: called after each batch with what is packed so far; what it throws ends the work, which goes on from there another time.
/// - Returns: the counts, also kept as `pack.json` in the folder.
/// - Throws: `DataError` for unreadable input, an empty corpus, a tokenizer without an end token, a full disk.
@discardableResult
public func pack(
    _ paths: [String], tokenizer: Tokenizer, to folder: URL, validationFraction: Double = 0.01, tokensPerShard: Int = 1 << 28,
    progress: (PackReport) throws -> Void = { _ in }
) throws -> PackReport {
    let packing = Packing(tokenizer: tokenizer, folder: folder, validationFraction: validationFraction, tokensPerShard: tokensPerShard)
    let files = try dataFiles(documentPaths(paths))
    guard let report = try packing.run(PackInput(files: files), progress: progress) else {
        throw DataError("\(paths.joined(separator: ", ")): the corpus is empty (\(files.count) files hold no text to learn from)")
    }
    return report
}

/// Tokenises these records into token shards, as `pack(_:tokenizer:to:…)` does for files.
@discardableResult
public func pack(
    records: [Record], tokenizer: Tokenizer, to folder: URL, validationFraction: Double = 0.01, tokensPerShard: Int = 1 << 28,
    progress: (PackReport) throws -> Void = { _ in }
) throws -> PackReport {
    let packing = Packing(tokenizer: tokenizer, folder: folder, validationFraction: validationFraction, tokensPerShard: tokensPerShard)
    guard let report = try packing.run(PackInput(records: records), progress: progress) else {
        throw DataError("\(folder.path): there are no records to pack")
    }
    return report
}

/// One run of packing.
struct Packing {
    var tokenizer: Tokenizer
    var folder: URL
    var validationFraction = 0.01
    var tokensPerShard = 1 << 28
    /// What a batch of records weighs in memory.
    var batchBytes = 8 << 20
    /// Stock is taken after so many batches.
    var batchesPerCheckpoint = 8

    /// Packs everything; nil where there was no record.
    func run(_ input: PackInput, progress: (PackReport) throws -> Void) throws -> PackReport? {
        guard (0..<1).contains(validationFraction) else {
            throw DataError("the validation fraction is \(validationFraction), and should be at least 0 and below 1")
        }
        let encoder = try DocumentEncoder(tokenizer)
        let identity = input.identity.map { "pack 1\n\(encoder.fingerprint)\n\(validationFraction) \(tokensPerShard)\n\($0)" }
        var packer = try Packer(
            tokenizer: tokenizer, folder: folder, validationFraction: validationFraction, tokensPerShard: tokensPerShard, identity: identity)
        packer.report.files = input.files.count
        do { return try run(input, encoder, &packer, progress: progress) } catch {
            packer.abandon()
            throw error
        }
    }

    private func run(
        _ input: PackInput, _ encoder: DocumentEncoder, _ packer: inout Packer, progress: (PackReport) throws -> Void
    ) throws -> PackReport? {
        var input = input
        try input.seek(to: packer.position)
        var batches = 0
        var encoding: EncodingBatch?
        defer { encoding?.wait() }
        repeat {
            // One batch is read and the one before it written while one is encoded.
            let records = try input.next(bytes: batchBytes)
            let documents = try encoding?.documents()
            let (position, emptyRecords) = (encoding?.position, encoding?.emptyRecords)
            encoding = records.isEmpty ? nil : EncodingBatch(records, encoder, position: input.position, emptyRecords: input.emptyRecords)
            if let documents, let position, let emptyRecords {
                for document in documents { try packer.append(document) }
                (packer.position, packer.report.emptyRecords) = (position, emptyRecords)
                batches += 1
                if batches % batchesPerCheckpoint == 0 { try packer.checkpoint() }
                try progress(packer.report)
            }
        } while encoding != nil
        packer.report.emptyRecords = input.emptyRecords
        return try packer.finish()
    }
}

/// Records that are being encoded on all cores, meanwhile.
private final class EncodingBatch: @unchecked Sendable {  // the result is read after the group has been waited for
    /// After its last record.
    let position: PackInput.Position
    let emptyRecords: Int
    private let group = DispatchGroup()
    private var result: Result<[EncodedDocument], any Error>?

    init(_ records: [Record], _ encoder: DocumentEncoder, position: PackInput.Position, emptyRecords: Int) {
        self.position = position
        self.emptyRecords = emptyRecords
        group.enter()
        DispatchQueue.global().async { [self] in
            result = Result { try parallelMap(records, encoder.encode) }
            group.leave()
        }
    }

    func wait() { group.wait() }

    func documents() throws -> [EncodedDocument] {
        wait()
        return try result?.get() ?? []
    }
}
