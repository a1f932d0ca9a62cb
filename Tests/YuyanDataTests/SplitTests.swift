import Foundation
import Testing

@testable import YuyanData

@Suite struct SplitTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Clusters stay whole, and large ones do not all fall on one side.
    @Test func partsHaveTheirShareOfClustersToo() throws {
        let lines = (0..<1200).map { #"{"text": "第\#($0)篇的正文", "family": "f\#($0 / 6)"}"# }
        let file = try folder.write("a.jsonl", lines.joined(separator: "\n"))
        var configuration = SplitConfiguration()
        (configuration.validation, configuration.test, configuration.clusterKey) = (0.2, 0.2, "family")
        let output = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("parts")
        let report = try split([file], configuration, to: output)
        for part in ["validation", "test"] { #expect(150...330 ~= report.changes[part] ?? 0, "\(part): \(report.changes)") }
        var families: [String: Set<String>] = [:]
        for part in ["train", "validation", "test"] {
            var reader = try RecordReader([output.appendingPathComponent(part).path])
            for record in try reader.readAll() { families[record.metadata["family"] ?? "", default: []].insert(part) }
        }
        #expect(families.count == 200 && families.values.allSatisfy { $0.count == 1 })
    }
}
