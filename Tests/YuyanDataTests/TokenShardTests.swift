import Foundation
import Testing

@testable import YuyanData

@Suite struct TokenShardTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func write(_ documents: [[Int32]], vocabularySize: Int, name: String = "a.yyt") throws -> URL {
        let file = folder.file(name)
        let writer = try TokenShardWriter(file, tokenizerFingerprint: "abc123", vocabularySize: vocabularySize)
        for document in documents { try writer.append(document) }
        try writer.finish()
        return file
    }

    @Test(arguments: [(300, 2), (65536, 2), (65537, 4), (200_000, 4)])
    func idsComeBack(vocabularySize: Int, width: Int) throws {
        var random = SeededRandom(seed: 1)
        let documents = (0..<200).map { _ in
            (0..<random.number(in: 1...700)).map { _ in Int32(random.number(in: 0...vocabularySize - 1)) }
        }
        let shard = try TokenShard(write(documents, vocabularySize: vocabularySize), verifyingChecksum: true)
        #expect(shard.bytesPerToken == width)
        #expect(shard.documentCount == 200)
        #expect(shard.tokenCount == documents.map(\.count).reduce(0, +))
        #expect(shard.vocabularySize == vocabularySize)
        #expect(shard.tokenizerFingerprint == "abc123")
        var position = 0
        for (index, document) in documents.enumerated() {
            #expect(shard.document(index) == position..<position + document.count)
            #expect(shard.documentIndex(at: position) == index)
            #expect(shard.documentIndex(at: position + document.count - 1) == index)
            var ids: [Int32] = []
            shard.appendTokens(in: shard.document(index), to: &ids)
            #expect(ids == document)
            position += document.count
        }
    }

    @Test func manyBlocksKeepTheirOrder() throws {
        let documents = (0..<700).map { start in (0..<1001).map { Int32((start * 1001 + $0) % 65000) } }
        let set = try ShardSet([write(documents, vocabularySize: 65000)], verifyingChecksums: true)
        #expect(set.tokens(in: 0..<set.tokenCount) == documents.flatMap { $0 })
    }

    @Test func aFileAppearsOnlyWhenItIsWhole() throws {
        let file = folder.file("a.yyt")
        var writer: TokenShardWriter? = try TokenShardWriter(file, tokenizerFingerprint: "", vocabularySize: 10)
        try writer?.append([1, 2, 3])
        #expect(!FileManager.default.fileExists(atPath: file.path))
        writer = nil
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test func damageIsFound() throws {
        let file = try write([[1, 2, 3], [4, 5]], vocabularySize: 10)
        let good = try Data(contentsOf: file)
        func sentence(_ bytes: Data, verifying: Bool = false) throws -> String {
            try bytes.write(to: file)
            return errorSentence { _ = try TokenShard(file, verifyingChecksum: verifying) }
        }
        #expect(try sentence(good, verifying: true) == "no error")
        #expect(try sentence(good.dropLast()).contains("has \(good.count - 1) bytes where its header says \(good.count)"))
        #expect(try sentence(good + [0]).contains("where its header says"))
        #expect(try sentence(good.prefix(100)).contains("cut short, at 100 bytes"))
        #expect(try sentence(Data()).contains("not a token shard (it is empty)"))
        #expect(try sentence(Data("{}".utf8)).contains("not a token shard"))
        for offset in [8, 17, 30, 60, 255] {
            var bytes = good
            bytes[offset] ^= 1
            #expect(try sentence(bytes).contains(offset == 8 ? "of version 0" : "header of the token shard is damaged"))
        }
        var bytes = good
        bytes[258] ^= 4
        #expect(try sentence(bytes) == "no error")
        #expect(try sentence(bytes, verifying: true).contains("its checksum does not match"))
        #expect(errorSentence { _ = try TokenShard(folder.file("none.yyt")) }.contains("No such file"))
    }

    @Test func severalShardsAreOneStream() throws {
        let documents: [[Int32]] = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]
        let set = try ShardSet([
            write(Array(documents[0..<1]), vocabularySize: 20, name: "1.yyt"), write([], vocabularySize: 20, name: "2.yyt"),
            write(Array(documents[1...]), vocabularySize: 20, name: "3.yyt"),
        ])
        #expect(set.tokenCount == 10)
        #expect(set.documentCount == 4)
        for start in 0...10 {
            for end in start...10 { #expect(set.tokens(in: start..<end) == (start..<end).map { Int32($0 + 1) }) }
        }
        #expect(set.documents(in: 0..<10) == [0..<3, 3..<4, 4..<6, 6..<10])
        #expect(set.documents(in: 1..<5) == [1..<3, 3..<4, 4..<5])
    }

    @Test func shardsOfTwoTokenizersAreRefused() throws {
        let one = try write([[1]], vocabularySize: 10, name: "1.yyt")
        let writer = try TokenShardWriter(folder.file("2.yyt"), tokenizerFingerprint: "other", vocabularySize: 10)
        try writer.append([1])
        try writer.finish()
        #expect(errorSentence { _ = try ShardSet([one, folder.file("2.yyt")]) }.contains("2.yyt: packed with another tokenizer than 1.yyt"))
    }

    @Test func theStableHashIsPinned() {
        // A change would move documents between training and validation.
        #expect(stableHash("") == mix(0xCBF2_9CE4_8422_2325))
        #expect(stableHash("雨燕") == 9_038_996_675_791_363_672)
    }
}
