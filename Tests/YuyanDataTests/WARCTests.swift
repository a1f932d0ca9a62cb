import Foundation
import Testing
import YuyanText

@testable import YuyanData

@Suite struct WARCTests {
    private func record(_ type: String, _ block: String, _ headers: String = "", version: String = "1.0") -> [UInt8] {
        Array("WARC/\(version)\r\nWARC-Type: \(type)\r\n\(headers)Content-Length: \(block.utf8.count)\r\n\r\n\(block)\r\n\r\n".utf8)
    }

    private func page(_ html: String, status: String = "200 OK", type: String = "text/html; charset=utf-8", _ headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(headers)\r\n\(html)"
    }

    /// An archive as crawlers write it: what was asked, answers good and bad, a picture, a text.
    private var archive: [[UInt8]] {
        let target = "WARC-Target-URI: https://example.org/雨燕\r\nWARC-Date: 2024-05-01T00:00:00Z\r\n"
        return [
            record("warcinfo", "software: none\r\n"), record("request", "GET /雨燕 HTTP/1.1\r\n\r\n", target),
            record("response", page("<html><body><p>雨燕在空中睡觉。</p></body></html>"), target),
            record("response", page("<p>没有</p>", status: "404 Not Found"), target), record("response", page("\u{1}\u{2}", type: "image/png"), target),
            record("conversion", "雨燕一生几乎都不落地。\n它们吃昆虫。", "WARC-Target-URI: <https://example.org/b>\r\n", version: "1.1"),
        ]
    }

    @Test func pagesAndTextsAreRecords() throws {
        let folder = try TemporaryFolder()
        let plain = archive.flatMap { $0 }
        // As crawls are published: a gzip member for each record.
        let members = try archive.map { try gzip($0) }.flatMap { $0 }
        for (name, bytes) in [("a.warc", plain), ("b.warc.gz", members), ("c.warc.wet.gz", try gzip(plain))] {
            let (records, problems) = try readSkipping(folder.write(name, bytes))
            #expect(problems.isEmpty, "\(problems)")
            #expect(records.map(\.text) == ["<html><body><p>雨燕在空中睡觉。</p></body></html>", "雨燕一生几乎都不落地。\n它们吃昆虫。"], "\(name)")
            #expect(records.map { $0.metadata["url"] } == ["https://example.org/雨燕", "https://example.org/b"])
            #expect(records[0].metadata["content_type"]?.hasPrefix("text/html") == true && records[0].metadata["date"] == "2024-05-01T00:00:00Z")
            #expect(records.map(\.id) == ["\(name):3", "\(name):6"])
        }
    }

    @Test func faultsNameTheByteAndTheRestIsRead() throws {
        let folder = try TemporaryFolder()
        let good = record("conversion", "好的一条。")
        let headless = Array("WARC/1.0\r\nWARC-Type: conversion\r\n\r\n没有长度\r\n\r\n".utf8)
        let lost = try readSkipping(folder.write("a.warc", Array("不是记录\r\n".utf8) + good + headless + good))
        #expect(lost.records.map(\.text) == ["好的一条。", "好的一条。"])
        #expect(lost.problems.count >= 2 && lost.problems[0].contains("a WARC record should begin at byte 0"), "\(lost.problems)")
        #expect(lost.problems.contains { $0.contains("the WARC record at byte \(14 + good.count) has no Content-Length") }, "\(lost.problems)")
        let cut = try readSkipping(folder.write("b.warc", good + good.dropLast(10)))
        #expect(cut.records.count == 1 && cut.problems.count == 1, "\(cut.problems)")
    }

    /// Damaged archives give records or sentences; what stands before the damage is read.
    @Test func damagedArchivesNeverCrash() throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: 12)
        let good = record("conversion", "前面的一条。")
        var (read, refused) = (0, 0)
        for round in 0..<600 {
            let bytes = good + damaged(archive.flatMap { $0 }, &random)
            let file = try folder.write("\(round % 4).warc\(round % 5 == 0 ? ".gz" : "")", round % 5 == 0 ? gzip(bytes) : bytes)
            let (records, problems) = try readSkipping(file)
            #expect(records.first?.text == "前面的一条。")
            #expect(problems.allSatisfy { !$0.contains("\n") })
            read += records.count
            refused += problems.count
        }
        #expect(read > 1000 && refused > 100, "\(read) \(refused)")
    }
}

@Suite struct DelimitedFuzzTests {
    /// Damaged tables give records or sentences, and what stands before the damage is read.
    @Test(arguments: ["csv", "tsv"]) func damagedTablesNeverCrash(ending: String) throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: 13)
        let separator = ending == "csv" ? "," : "\t"
        let quoted = ending == "csv" ? "\"雨燕,\"\"吃\"\"\n什么？\"" : "雨燕吃什么？"
        let rows = (0..<6).map { "\(quoted)\(separator)昆虫\($0)" }.joined(separator: "\r\n")
        let head = "question\(separator)answer\r\n第一问\(separator)第一答\r\n"
        var (read, refused) = (0, 0)
        for round in 0..<1200 {
            let file = try folder.write("\(round % 4).\(ending)", Array(head.utf8) + damaged(Array(rows.utf8), &random))
            let (records, problems) = try readSkipping(file)
            #expect(records.first?.text.contains("第一问") == true, "\(problems)")
            #expect(problems.allSatisfy { !$0.contains("\n") })
            read += records.count
            refused += problems.count
        }
        #expect(read > 3000 && refused > 100, "\(read) \(refused)")
    }
}
