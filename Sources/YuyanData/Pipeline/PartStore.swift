import Foundation

/// The folder of a stage that is written in parts: `documents/`, `dropped/`, perhaps `statistics/`, a marker in `parts/` for each
/// part that is whole, and at the end `report.json`.
struct PartStore: Sendable {
    /// What is kept of a part that is whole: a file `parts/00000.json`.
    struct Marker: Codable {
        /// Hash of what made it: the step, its configuration, the way of cutting.
        var fingerprint: String
        /// Where its first record stands in the whole input.
        var first: Int
        /// Hash of the records that it was made from.
        var input: String
        /// The sizes of its files, by their place in the folder.
        var files: [String: Int]
        /// Its counts.
        var report: StepReport
    }

    /// A marker as its file holds it: with a hash, so that a damaged one is known.
    private struct Sealed: Codable {
        var part: Marker
        var seal: String

        init(_ marker: Marker) throws {
            part = marker
            seal = String(stableHash(String(decoding: try PartStore.json(marker), as: UTF8.self)), radix: 16)
        }
    }

    let folder: URL
    /// nil: nothing that was made before is used again.
    let fingerprint: String?

    private static let places = ["documents", "dropped", "statistics", "parts"]

    /// Makes the folders, and takes away what an interrupted run left half done. Without `report.json` the stage counts as unfinished.
    func prepare(hasStatistics: Bool = false) throws {
        let files = FileManager.default
        for place in Self.places where place != "statistics" || hasStatistics {
            let url = folder.appendingPathComponent(place)
            do { try files.createDirectory(at: url, withIntermediateDirectories: true) } catch {
                throw DataError("\(url.path): cannot make this folder: \((error as NSError).localizedDescription)")
            }
        }
        unlink(folder.appendingPathComponent("report.json").path)
        for place in [""] + Self.places {
            let url = folder.appendingPathComponent(place)
            for name in (try? files.contentsOfDirectory(atPath: url.path)) ?? [] where name.hasSuffix(".tmp") {
                unlink(url.appendingPathComponent(name).path)
            }
        }
    }

    /// The marker of a part that is whole and was made from the same records in the same way; nil where the part is to be made (again).
    func marker(_ part: Int, first: Int, input: String) -> Marker? {
        guard let fingerprint, let marker = marker(part), marker.fingerprint == fingerprint, marker.first == first, marker.input == input,
            marker.report.addsUp
        else { return nil }
        return marker
    }

    /// The marker of a part, if all its files are there; whatever is damaged counts as not there.
    func marker(_ part: Int) -> Marker? {
        guard let data = try? Data(contentsOf: file(part, "parts", "json")), let sealed = try? JSONDecoder().decode(Sealed.self, from: data),
            sealed.seal == (try? Sealed(sealed.part).seal)
        else { return nil }
        let marker = sealed.part
        for (name, size) in marker.files {
            var status = stat()
            guard stat(folder.appendingPathComponent(name).path, &status) == 0, Int(status.st_size) == size else { return nil }
        }
        return marker
    }

    /// Writes the files of one part (by place: pieces already in the form of their ending), then its marker.
    func write(_ part: Int, first: Int, input: String, files: [(place: String, ending: String, pieces: [[UInt8]])], report: StepReport) throws {
        unlink(file(part, "parts", "json").path)
        var sizes: [String: Int] = [:]
        do {
            for (place, ending, pieces) in files {
                let name = PartFile.name(part, ending)
                sizes["\(place)/\(name)"] = try PartFile.write(pieces, to: folder.appendingPathComponent(place).appendingPathComponent(name))
            }
            let marker = Marker(fingerprint: fingerprint ?? "", first: first, input: input, files: sizes, report: report)
            try PartFile.write([try Self.json(Sealed(marker))], to: file(part, "parts", "json"))
        } catch let error as DataError {
            guard part > 0 else { throw error }
            let finished = part == 1 ? "1 part is finished and stays" : "\(part) parts are finished and stay"
            throw DataError("\(error); \(finished), and a resumed run goes on from there")
        }
    }

    /// Takes away parts that an earlier run with more of them left, and writes the report.
    func finish(parts: Int, report: StepReport) throws {
        guard report.addsUp else {
            throw DataError(
                "\(folder.path): \(report.input.records) records came in, \(report.kept.records) were kept and "
                    + "\(report.droppedTotal.records) dropped: the counts do not add up; remove the folder and run it again")
        }
        for place in Self.places {
            let url = folder.appendingPathComponent(place)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] {
                guard let part = Int(name.prefix { $0.isASCII && $0.isNumber }), part >= parts else { continue }
                unlink(url.appendingPathComponent(name).path)
            }
        }
        try PartFile.write([try Self.json(report)], to: folder.appendingPathComponent("report.json"))
    }

    private func file(_ part: Int, _ place: String, _ ending: String) -> URL {
        folder.appendingPathComponent(place).appendingPathComponent(PartFile.name(part, ending))
    }

    static func json(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try Array(encoder.encode(value)) + [0x0A]
    }
}

/// `paths` with every stage's folder replaced by its `documents/`: what a stage left is what the next one reads. Throws where a stage is not finished.
public func documentPaths(_ paths: [String]) throws -> [String] {
    try paths.map { path in
        let folder = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
        var isFolder: ObjCBool = false
        let documents = folder.appendingPathComponent("documents")
        guard FileManager.default.fileExists(atPath: documents.path, isDirectory: &isFolder), isFolder.boolValue else { return path }
        guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("report.json").path) else {
            if !FileManager.default.fileExists(atPath: folder.appendingPathComponent("parts").path) { return path }
            throw DataError("\(path): this stage has not finished (it has no report.json); run it to its end first")
        }
        return documents.path
    }
}
