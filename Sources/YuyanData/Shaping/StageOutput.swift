import Foundation
import YuyanText

/// The folder of a stage that does not go record by record: `documents/` and `dropped/` in parts, as `processRecords` leaves them, and `report.json`
/// last. Until `finish` all of it stands in `writing.tmp`, and an earlier result stays whole.
final class StageOutput {
    let folder: URL
    private let work: WorkFolder
    private let documents: LineParts
    private let dropped: LineParts

    init(_ folder: URL) throws {
        self.folder = folder
        work = try WorkFolder(folder.appendingPathComponent("writing.tmp"))
        documents = try LineParts(work.url.appendingPathComponent("documents"))
        dropped = try LineParts(work.url.appendingPathComponent("dropped"))
    }

    /// A folder for files that are needed only until `finish`.
    var scratch: URL { work.url }

    func keep(_ record: Record) throws {
        try documents.append { $0.append(json: record) }
    }

    func drop(_ record: Record, _ drop: Drop) throws {
        try dropped.append { line in line.append(drop: drop) { $0.append(json: record) } }
    }

    /// Puts everything in its place.
    func finish(_ report: some Encodable) throws {
        try documents.finish()
        try dropped.finish()
        let files = FileManager.default
        try? files.removeItem(at: folder.appendingPathComponent(stageReportName))
        // What another step may have left here belongs to another result.
        for name in ["parts", "statistics"] { try? files.removeItem(at: folder.appendingPathComponent(name)) }
        for name in ["documents", "dropped"] {
            let (made, place) = (work.url.appendingPathComponent(name), folder.appendingPathComponent(name))
            try? files.removeItem(at: place)
            guard rename(made.path, place.path) == 0 else { throw DataError.system("move it to \(folder.path)", made) }
        }
        try writeStageReport(report, to: folder)
    }
}

let stageReportName = "report.json"

/// Writes `report.json`, by which a folder counts as complete.
func writeStageReport(_ report: some Encodable, to folder: URL) throws {
    try PartFile.write([try PartStore.json(report)], to: folder.appendingPathComponent(stageReportName))
}

/// A folder of lines in parts of about 32 MB, at least one, compressed on all cores in pieces of a megabyte.
private final class LineParts {
    private let folder: URL
    private var parts = 0
    private var pieces: [[UInt8]] = []
    private var piece: [UInt8] = []

    init(_ folder: URL) throws {
        self.folder = folder
        try makeFolder(folder)
    }

    func append(_ line: (inout [UInt8]) -> Void) throws {
        line(&piece)
        piece.append(0x0A)
        guard piece.count >= 1 << 20 else { return }
        pieces.append(piece)
        piece.removeAll(keepingCapacity: true)
        if pieces.reduce(0, { $0 + $1.count }) >= 32 << 20 { try write() }
    }

    func finish() throws {
        if !piece.isEmpty { pieces.append(piece) }
        piece = []
        if !pieces.isEmpty || parts == 0 { try write() }
    }

    private func write() throws {
        let encoded = try parallelMap(pieces) { PartFile.encode($0, ending: PartFile.records) }
        try PartFile.write(encoded, to: folder.appendingPathComponent(PartFile.name(parts, PartFile.records)))
        pieces = []
        parts += 1
    }
}
