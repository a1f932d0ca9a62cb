import Foundation

/// Cuts lines or sentences that more than a number of documents share from all of them but the first, as C4 (Raffel et al. 2020, section 2.2) and datatrove
/// do. Within one document they may repeat; that is for the repetition filter. Conversations, pairs and comparisons stay as they are: a turn that loses a
/// sentence answers something else.
struct LineDeduplication {
    let inputs: [String]
    let folder: URL
    let configuration: DeduplicationConfiguration
    var partBytes = 32 << 20
    var equalHashes = EqualHashes()

    func run(_ isCancelled: @Sendable () -> Bool, _ progress: (StepReport) -> Void) throws -> StepReport {
        let name = configuration.level.rawValue
        let reason = "duplicate_\(name)"
        let (level, minimum) = (configuration.level, configuration.minimumCharacters)
        let text = String(ComparisonText.fingerprint, radix: 16)
        let working = WorkingColumns(
            folder: folder.appendingPathComponent("working"), fingerprint: "columns 1, level \(name), minimum \(minimum), text \(text)",
            partBytes: partBytes)
        let (files, input) = try working.make(inputs, isCancelled: isCancelled, progress: progress) { records in
            var pieces = TextPieces(level: level, minimum: minimum)
            var columns = Columns()
            for record in records {
                columns.count += 1
                if case .document(let document) = record {
                    pieces.split(document.text)
                    columns.lines += pieces.hashes
                }
                columns.lineEnds.append(UInt32(columns.lines.count))
            }
            return columns
        }

        // Where each document's lines begin among all, and which are cut.
        var starts: [Int] = [0]
        for file in files {
            let base = starts[starts.count - 1]
            starts += try file.read(.lineEnds, as: UInt32.self).map { base + Int($0) }
        }
        let total = starts[starts.count - 1]
        var cut = RecordSet(total)
        var examples = DuplicateExamples()
        try equalHashes.forEachGroup(count: total, blocks: files.count) {
            try files[$0].read(.lines, as: UInt64.self)
        } body: { group in
            guard group.count > configuration.occurrences else { return }
            for line in group.dropFirst() { cut.insert(line) }
            examples.add(size: group.count, first: group[0])
        }

        let members = WantedMembers(examples.largest.flatMap(\.members))
        let settings = try canonicalJSON(configuration)
        let report = try processRecords(
            inputs, step: "dedup", to: folder, fingerprint: "\(settings) \(input)", isCancelled: isCancelled, progress: progress
        ) { [starts, cut] record, ordinal in
            guard ordinal + 1 < starts.count else { throw DataError("the input has changed while duplicates were looked for; run again") }
            let lines = starts[ordinal]..<starts[ordinal + 1]
            guard case .document(var document) = record else { return [.kept(record)] }
            let hasExample = members.isWanted(in: lines)
            guard hasExample || lines.contains(where: { cut.contains(UInt32($0)) }) else { return [.kept(record)] }
            var pieces = TextPieces(level: level, minimum: minimum)
            pieces.split(document.text)
            guard pieces.hashes.count == lines.count else { throw DataError("the input has changed while duplicates were looked for; run again") }
            if hasExample { Self.show(pieces, of: document, lines, members) }
            let count = pieces.remove(from: &document.text) { cut.contains(UInt32(lines.lowerBound + $0)) }
            guard count > 0 else { return [.kept(record)] }
            guard !isBlank(document.text) else {
                return [.dropped(record, Drop(step: "dedup", reason: reason, value: "all \(count) \(name) stand in earlier documents"))]
            }
            return [.kept(.document(document), changes: [reason: count])]
        }
        try examples.write(to: folder) { try member($0, members, starts) }
        working.remove()
        return report
    }

    /// Keeps the lines of a document that examples wait for.
    private static func show(_ pieces: TextPieces, of document: Document, _ lines: Range<Int>, _ members: WantedMembers) {
        for (place, line) in lines.enumerated() where members.isWanted(UInt32(line)) {
            guard let piece = pieces.pieces.first(where: { $0.hash == place }) else { continue }
            let utf8 = document.text.utf8
            let text = document.text[
                utf8.index(utf8.startIndex, offsetBy: piece.range.lowerBound)..<utf8.index(utf8.startIndex, offsetBy: piece.range.upperBound)]
            members.add(UInt32(line), id: document.id, text: text)
        }
    }

    /// An example's id and opening; read again where its part was finished before an interruption.
    private func member(_ number: UInt32, _ members: WantedMembers, _ starts: [Int]) throws -> DuplicateCluster.Member {
        if !members.isComplete {
            var reader = try RecordReader(documentPaths(inputs))
            var ordinal = 0
            while !members.isComplete, ordinal + 1 < starts.count, let record = try reader.next() {
                let lines = starts[ordinal]..<starts[ordinal + 1]
                if case .document(let document) = record, members.isWanted(in: lines) {
                    var pieces = TextPieces(level: configuration.level, minimum: configuration.minimumCharacters)
                    pieces.split(document.text)
                    Self.show(pieces, of: document, lines, members)
                }
                ordinal += 1
            }
        }
        return members[number] ?? DuplicateCluster.Member(id: "", opening: "")
    }
}

/// A text cut into lines or sentences, each with the hash it is compared by.
struct TextPieces {
    struct Piece {
        /// In the text's UTF-8, without the line break.
        var range: Range<Int>
        /// Whether a line break (or the end of the text) follows.
        var endsLine: Bool
        /// Which of `hashes`; nil where it is too short to be compared.
        var hash: Int?
    }

    let level: DeduplicationConfiguration.Level
    let minimum: Int
    private(set) var pieces: [Piece] = []
    /// The hashes of the pieces in the order of the text, each once.
    private(set) var hashes: [UInt64] = []
    private var places: [UInt64: Int] = [:]
    private var comparison = ComparisonText()

    init(level: DeduplicationConfiguration.Level, minimum: Int) {
        (self.level, self.minimum) = (level, minimum)
    }

    mutating func split(_ text: String) {
        pieces.removeAll(keepingCapacity: true)
        hashes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            var index = 0
            while true {
                if index == bytes.count || bytes[index] == 0x0A {
                    add(bytes, start..<index, endsLine: true)
                    if index == bytes.count { break }
                    index += 1
                    start = index
                } else if level == .sentences, let end = Self.sentenceEnd(bytes, index) {
                    index = end
                    if index < bytes.count, bytes[index] != 0x0A {
                        add(bytes, start..<index, endsLine: false)
                        start = index
                    }
                } else {
                    index += 1
                }
            }
        }
    }

    private mutating func add(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, endsLine: Bool) {
        var piece = Piece(range: range, endsLine: endsLine)
        // A character that counts has a byte at least.
        if range.count >= minimum {
            comparison.load(UnsafeBufferPointer(rebasing: bytes[range]))
            if comparison.count >= minimum {
                let hash = max(comparison.hash.0, 1)
                if let place = places[hash] {
                    piece.hash = place
                } else {
                    piece.hash = hashes.count
                    places[hash] = hashes.count
                    hashes.append(hash)
                }
            }
        }
        pieces.append(piece)
    }

    /// Where the sentence ends whose end mark begins at `index`: behind further end marks and closing quotes and brackets; nil where there is no end mark.
    private static func sentenceEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> Int? {
        func has(_ index: Int, _ one: UInt8, _ two: UInt8, _ three: UInt8) -> Bool {
            index + 2 < bytes.count && bytes[index] == one && bytes[index + 1] == two && bytes[index + 2] == three
        }
        func mark(_ index: Int) -> Int {
            guard index < bytes.count else { return 0 }
            switch bytes[index] {
            case UInt8(ascii: "!"), UInt8(ascii: "?"): return 1
            case 0xE2: return has(index, 0xE2, 0x80, 0xA6) ? 3 : 0  // …
            case 0xE3: return has(index, 0xE3, 0x80, 0x82) ? 3 : 0  // 。
            case 0xEF: return has(index, 0xEF, 0xBC, 0x81) || has(index, 0xEF, 0xBC, 0x9F) ? 3 : 0  // ！？
            default: return 0
            }
        }
        func closing(_ index: Int) -> Int {
            guard index < bytes.count else { return 0 }
            switch bytes[index] {
            case UInt8(ascii: "\""), UInt8(ascii: ")"): return 1
            case 0xE2: return has(index, 0xE2, 0x80, 0x9D) || has(index, 0xE2, 0x80, 0x99) ? 3 : 0  // ” ’
            case 0xE3: return has(index, 0xE3, 0x80, 0x8D) || has(index, 0xE3, 0x80, 0x8F) ? 3 : 0  // 」 』
            case 0xEF: return has(index, 0xEF, 0xBC, 0x89) ? 3 : 0  // ）
            default: return 0
            }
        }
        var end = index + mark(index)
        guard end > index else { return nil }
        while true {
            let length = max(mark(end), closing(end))
            if length == 0 { return end }
            end += length
        }
    }

    /// Takes out of the text that was split the pieces whose hash is to go. A line of which nothing is left goes with its line break. Gives the number of
    /// pieces taken out.
    func remove(from text: inout String, where isCut: (Int) -> Bool) -> Int {
        var removed = 0
        var result: [UInt8] = []
        var lines = 0
        text.withUTF8 { bytes in
            result.reserveCapacity(bytes.count)
            var line: [UInt8] = []
            var removedHere = 0
            for piece in pieces {
                if let hash = piece.hash, isCut(hash) { removedHere += 1 } else { line += bytes[piece.range] }
                guard piece.endsLine else { continue }
                if removedHere == 0 || !isBlank(String(decoding: line, as: UTF8.self)) {
                    if lines > 0 { result.append(0x0A) }
                    result += line
                    lines += 1
                }
                removed += removedHere
                removedHere = 0
                line.removeAll(keepingCapacity: true)
            }
        }
        if removed > 0 { text = String(decoding: result, as: UTF8.self) }
        return removed
    }
}
