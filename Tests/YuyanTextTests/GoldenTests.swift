import Foundation
import Testing

@testable import YuyanText

/// Ids and texts of the reference libraries for hard strings.
@Suite struct GoldenTests {
    @Test(arguments: Golden.shared?.small ?? [])
    func smallTokenizer(_ entry: Golden.Entry) throws {
        try compare(entry, Tokenizer(contentsOf: fixtures.appending(path: entry.name)))
    }

    @Test(.enabled(if: testData != nil, "YUYAN_TEST_DATA names no folder of real tokenizers"), arguments: Golden.shared?.real ?? [])
    func realTokenizer(_ entry: Golden.Entry) throws {
        let data = try #require(testData)
        try compare(entry, Tokenizer(contentsOf: data.appending(path: "tokenizers/\(entry.name)")))
    }

    @Test func fixturesAreThere() throws {
        let golden = try #require(Golden.shared)
        #expect(golden.small.count == 9 && golden.real.count == 4)
    }

    private func compare(_ entry: Golden.Entry, _ tokenizer: Tokenizer) throws {
        let golden = try #require(Golden.shared)
        let isWordPiece = tokenizer.id(of: "[UNK]") != nil
        for (index, bytes) in golden.bytes.enumerated() {
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(tokenizer.encode(bytes: bytes) == entry.ids[index], "\(entry.name) on case \(index): \(text)")
            #expect(
                tokenizer.encode(text, parsingSpecial: true, plainly: true) == entry.ids[index], "plainly, \(entry.name) on case \(index): \(text)")
            let decoded = tokenizer.decode(entry.ids[index])
            #expect(tokenizer.stream(entry.ids[index]) == decoded, "streaming, \(entry.name) on case \(index)")
            // WordPiece puts no spaces between ideographs here.
            if !isWordPiece {
                #expect(Array(decoded.utf8) == Array(entry.decoded[index].utf8), "decoding, \(entry.name) on case \(index): \(text)")
            }
        }
        if !["chinese-llama-sp", "llama2"].contains(entry.name), !entry.name.hasPrefix("sp-") {
            let text = String(decoding: golden.bytes[8], as: UTF8.self)
            #expect(tokenizer.encode(text, addingSpecialTokens: true) == entry.framed)
        }
    }
}
