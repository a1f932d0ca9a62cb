import Foundation

/// What earlier batches kept: a folder with columns of the survivors and `index.json`, which says which files count. Batches are added by writing new files
/// and then replacing `index.json`: until that moment the old index is whole.
struct DuplicateIndex {
    /// What the columns of all batches must agree in.
    struct Parameters: Codable, Hashable {
        var level: String
        var shingle: Int
        var bands: Int
        var rows: Int
        /// How texts are compared.
        var text: String

        init(_ configuration: DeduplicationConfiguration) {
            let minHash = MinHash(configuration)
            let isNear = configuration.level == .near
            level = configuration.level.rawValue
            (shingle, bands, rows) = isNear ? (minHash.shingle, minHash.bands, minHash.rows) : (0, 0, 0)
            text = String(ComparisonText.fingerprint, radix: 16)
        }

        var sentence: String {
            level == DeduplicationConfiguration.Level.near.rawValue
                ? "level \(level), shingle \(shingle), bands \(bands), rows \(rows), text \(text)" : "level \(level), text \(text)"
        }
    }

    /// The survivors of one run.
    private struct Batch: Codable {
        /// Hash of its input, configuration and output folder: the same run again takes its own place.
        var run: String
        var files: [String]
        var records: Int
    }

    private struct Header: Codable {
        var version = 1
        var parameters: Parameters
        var batches: [Batch]
        /// Hash of all the rest.
        var checksum = ""

        func computedChecksum() throws -> String {
            var rest = self
            rest.checksum = ""
            return String(stableHash(String(decoding: try Self.encoder.encode(rest), as: UTF8.self)), radix: 16)
        }

        static var encoder: JSONEncoder {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            return encoder
        }
    }

    private let folder: URL
    private let run: String
    private var header: Header
    /// The survivors of the batches before this run.
    let files: [ColumnFile]

    /// Opens the index as it was before this run; a folder without one is a new index.
    init(_ path: String, parameters: Parameters, run: String) throws {
        folder = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
        self.run = run
        let place = folder.appendingPathComponent("index.json")
        header = Header(parameters: parameters, batches: [])
        if FileManager.default.fileExists(atPath: place.path) {
            guard let found = try? JSONDecoder().decode(Header.self, from: Data(contentsOf: place)), found.version == 1,
                try found.checksum == found.computedChecksum()
            else {
                throw DataError("\(place.path): the header of this index is damaged or of another version; make the index anew in another folder")
            }
            guard found.parameters == parameters else {
                throw DataError(
                    "\(place.path): this index was made with \(found.parameters.sentence), and this run has \(parameters.sentence); "
                        + "use the same values or another folder")
            }
            header = found
        }
        let names = header.batches.prefix { $0.run != run }.flatMap(\.files)
        let folder = folder
        files = try names.enumerated().map { number, name in
            let file = try ColumnFile(folder.appendingPathComponent(name), number: number)
            try file.verify()
            return file
        }
    }

    /// What it holds that this run is compared with.
    var batches: [String] { header.batches.prefix { $0.run != run }.map(\.run) }

    /// Adds what this run kept. `isKept` is asked for the place of each record in the columns.
    mutating func add(_ columns: [ColumnFile], isKept: (Int) -> Bool) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var batch = Batch(run: run, files: [], records: 0)
        var start = 0
        for (number, file) in columns.enumerated() {
            let kept = (0..<file.count).filter { isKept(start + $0) }
            start += file.count
            guard !kept.isEmpty else { continue }
            let name = "\(run)-\(number).columns"
            try file.selecting(kept).write(to: folder.appendingPathComponent(name), input: file.input)
            batch.files.append(name)
            batch.records += kept.count
        }
        if let own = header.batches.firstIndex(where: { $0.run == run }) { header.batches[own] = batch } else { header.batches.append(batch) }
        header.checksum = try header.computedChecksum()
        let place = folder.appendingPathComponent("index.json")
        let temporary = place.appendingPathExtension("tmp")
        guard FileManager.default.createFile(atPath: temporary.path, contents: nil) else { throw DataError.system("write it", temporary) }
        let handle = try FileHandle(forWritingTo: temporary)
        try handle.write(contentsOf: Header.encoder.encode(header))
        try handle.synchronize()
        try handle.close()
        guard rename(temporary.path, place.path) == 0 else { throw DataError.system("rename it", temporary) }
        // What an interrupted run left.
        let listed = Set(header.batches.flatMap(\.files) + ["index.json"])
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where !listed.contains(name) && (name.hasSuffix(".columns") || name.hasSuffix(".columns.tmp")) {
            try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
    }
}

extension ColumnFile {
    /// Some of its records.
    fileprivate func selecting(_ records: [Int]) throws -> Columns {
        func gather<Element: BitwiseCopyable>(_ name: Columns.Name, ends: Columns.Name, as type: Element.Type) throws -> ([Element], [UInt32]) {
            guard elements(ends, as: UInt32.self) > 0 else { return ([], []) }
            let all = try read(name, as: type)
            let places = try read(ends, as: UInt32.self)
            var (kept, keptEnds): ([Element], [UInt32]) = ([], [])
            for record in records {
                kept += all[(record == 0 ? 0 : Int(places[record - 1]))..<Int(places[record])]
                keptEnds.append(UInt32(kept.count))
            }
            return (kept, keptEnds)
        }
        func pick<Element: BitwiseCopyable>(_ name: Columns.Name, as type: Element.Type) throws -> [Element] {
            let all = try read(name, as: type)
            return records.map { all[$0] }
        }
        var columns = Columns(bandCount: bandCount)
        columns.count = records.count
        (columns.ids, columns.idEnds) = try gather(.ids, ends: .idEnds, as: UInt8.self)
        (columns.sketches, columns.sketchEnds) = try gather(.sketches, ends: .sketchEnds, as: UInt32.self)
        columns.qualities = try pick(.qualities, as: Double.self)
        columns.exactFirst = try pick(.exactFirst, as: UInt64.self)
        columns.exactSecond = try pick(.exactSecond, as: UInt64.self)
        let byBand = try read(.bands, as: UInt64.self)
        columns.bands.reserveCapacity(records.count * bandCount)
        for record in records { for band in 0..<bandCount { columns.bands.append(byBand[band * count + record]) } }
        return columns
    }
}
