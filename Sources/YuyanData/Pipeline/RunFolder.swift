import Foundation

/// The stages of a run that hold records, in their order.
struct RunFolder {
    struct Stage: Sendable {
        var name: String
        var folder: URL
        /// nil while the stage has not finished.
        var report: StepReport?

        /// The parts of `documents` or `dropped`, in order.
        func files(_ place: String) -> [URL] {
            let folder = folder.appendingPathComponent(place)
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.filter { $0.hasSuffix(".jsonl") || $0.hasSuffix(".jsonl.zst") }.sorted().map { folder.appendingPathComponent($0) }
        }

        /// The table beside a part of `documents`; nil where there is none.
        func table(beside documents: URL) throws -> StatisticsTable? {
            let part = String(documents.lastPathComponent.prefix { $0 != "." })
            let file = folder.appendingPathComponent("statistics/\(part).\(PartFile.statistics)")
            return FileManager.default.fileExists(atPath: file.path) ? try StatisticsTable(contentsOf: file) : nil
        }
    }

    let url: URL
    let stages: [Stage]

    /// The folder of a run (`runs/NAME`), or of a single stage. Stages stand in the order of `recipe.yaml`; without one, in the order in which they finished.
    init(_ url: URL) throws {
        self.url = url
        let files = FileManager.default
        func stage(_ folder: URL) -> Stage? {
            let hasRecords = ["documents", "dropped"].contains { files.fileExists(atPath: folder.appendingPathComponent($0).path) }
            let data = try? Data(contentsOf: folder.appendingPathComponent("report.json"))
            let report = data.flatMap { try? JSONDecoder().decode(StepReport.self, from: $0) }
            return hasRecords ? Stage(name: folder.lastPathComponent, folder: folder, report: report) : nil
        }
        if let single = stage(url) {
            stages = [single]
            return
        }
        let names: [String]
        do { names = try files.contentsOfDirectory(atPath: url.path).filter { !$0.hasPrefix(".") }.sorted() } catch {
            throw DataError("\(url.path): there is no such folder; give the folder of a run (runs/NAME)")
        }
        let recipe = (try? String(contentsOf: url.appendingPathComponent("recipe.yaml"), encoding: .utf8)).map(Self.stageNames) ?? []
        /// The place in the recipe, then the time at which it finished.
        func place(_ stage: Stage) -> (Int, Double) {
            let report = stage.folder.appendingPathComponent("report.json")
            let date = (try? files.attributesOfItem(atPath: report.path))?[.modificationDate] as? Date
            return (recipe.firstIndex(of: stage.name) ?? recipe.count, date?.timeIntervalSince1970 ?? .infinity)
        }
        let found = names.compactMap { stage(url.appendingPathComponent($0)) }
        let placed = found.map { (place: place($0), stage: $0) }
        // The names are in order already, and the sort is stable.
        stages = placed.sorted { $0.place < $1.place }.map(\.stage)
        guard !stages.isEmpty else {
            throw DataError(
                "\(url.path): there is no stage with records here (a folder with documents/ or dropped/); give the folder of a run (runs/NAME)")
        }
    }

    /// The names under `stages:` of a recipe in block style, as it is saved beside its results.
    static func stageNames(_ yaml: String) -> [String] {
        var names: [String] = []
        var isInside = false
        var indentation: Int?
        for line in yaml.split(whereSeparator: \.isNewline) {
            let text = line.drop { $0 == " " }
            if text.hasPrefix("#") { continue }
            let depth = line.count - text.count
            if depth == 0, !text.hasPrefix("-") {
                isInside = text.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces) == "stages:"
                indentation = nil
                continue
            }
            guard isInside else { continue }
            if indentation == nil, text.hasPrefix("- ") { indentation = depth }
            guard let indentation else { continue }
            let isItem = depth == indentation && text.hasPrefix("- ")
            guard isItem || depth == indentation + 2 else { continue }
            let entry = isItem ? text.dropFirst(2).drop { $0 == " " } : text
            guard entry.hasPrefix("name:") else { continue }
            let value = entry.dropFirst(5).prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
            names.append(value.trimmingCharacters(in: ["\"", "'"]))
        }
        return names
    }
}
