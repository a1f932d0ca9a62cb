import Foundation
import Testing

@testable import YuyanData

@Suite struct PretrainLoaderTests {
    let folder: TemporaryFolder
    /// 60 documents in 3 shards; the token at position n of the stream is n.
    let shards: ShardSet

    init() throws {
        folder = try TemporaryFolder()
        var random = SeededRandom(seed: 7)
        var (next, files): (Int32, [URL]) = (0, [])
        for number in 0..<3 {
            files.append(folder.file("\(number).yyt"))
            let writer = try TokenShardWriter(files[number], tokenizerFingerprint: "t", vocabularySize: 10000)
            for _ in 0..<20 {
                let length = Int32(random.number(in: 1...40))
                try writer.append(Array(next..<next + length))
                next += length
            }
            try writer.finish()
        }
        shards = try ShardSet(files)
    }

    private func loader(
        batchSize: Int = 4, sequenceLength: Int = 16, seed: UInt64 = 3, epochs: Int? = nil, separate: Bool = false, rank: Int = 0, worldSize: Int = 1
    ) throws -> PretrainLoader {
        try PretrainLoader(
            shards, sequenceLength: sequenceLength, batchSize: batchSize, seed: seed, epochs: epochs, separateDocuments: separate, rank: rank,
            worldSize: worldSize)
    }

    private func rows(_ batches: [Batch]) -> [[Int32]] {
        batches.flatMap { batch in (0..<batch.rows).map { Array(batch.inputs[$0 * batch.columns..<($0 + 1) * batch.columns]) } }
    }

    private func take(_ count: Int, _ loader: inout PretrainLoader) throws -> [Batch] {
        try (0..<count).compactMap { _ in try loader.next() }
    }

    @Test(arguments: [1, 2, 5, 16, 100, 5000]) func everyTokenIsALabelOncePerEpoch(sequenceLength: Int) throws {
        var loader = try loader(batchSize: 3, sequenceLength: sequenceLength, epochs: 1)
        var labels: [Int32] = []
        var count = 0
        while let batch = try loader.next() {
            for (input, label) in zip(batch.inputs, batch.labels) where label != Batch.ignored {
                #expect(label == input + 1)
                labels.append(label)
            }
            count += batch.labelCount
        }
        #expect(labels.sorted() == (1..<Int32(shards.tokenCount)).map { $0 })
        #expect(count == labels.count)
        #expect(loader.state.position == loader.rowsPerEpoch)
    }

    @Test func epochsAreShuffledEachInItsOwnWay() throws {
        var one = try loader(batchSize: 1)
        let windows = one.rowsPerEpoch
        let first = rows(try take(windows, &one)).map(\.first)
        let second = rows(try take(windows, &one)).map(\.first)
        #expect(first != second)
        #expect(Set(first) == Set(second))
        #expect(first.compactMap { $0 } != first.compactMap { $0 }.sorted())
        #expect(one.state.epoch == 2)
        var other = try loader(batchSize: 1, seed: 4)
        #expect(rows(try take(windows, &other)).map(\.first) != first)
    }

    @Test func aStateGoesOnExactly() throws {
        var whole = try loader()
        let all = try take(50, &whole)
        for stop in [0, 1, 7, 18, 33, 49] {
            var begun = try loader()
            _ = try take(stop, &begun)
            let saved = try JSONEncoder().encode(begun.state)
            var resumed = try loader()
            resumed.state = try JSONDecoder().decode(LoaderState.self, from: saved)
            #expect(try take(50 - stop, &resumed) == Array(all[stop...]))
        }
    }

    @Test func aStateOfOtherDataIsRefused() throws {
        var resumed = try loader(sequenceLength: 8)
        resumed.state = try loader().state
        #expect(errorSentence { _ = try nextBatch(&resumed) }.contains("resume it with what it began with"))
        resumed = try loader(seed: 9)
        resumed.state = try loader().state
        #expect(errorSentence { _ = try nextBatch(&resumed) }.contains("another seed"))
    }

    @Test(arguments: [1, 2, 3, 6]) func ranksShareTheGlobalBatch(worldSize: Int) throws {
        var single = try loader(batchSize: 6)
        let expected = try take(40, &single).map { rows([$0]) }
        var ranks = try (0..<worldSize).map { try loader(batchSize: 6 / worldSize, rank: $0, worldSize: worldSize) }
        for global in expected {
            var joined: [[Int32]] = []
            for rank in ranks.indices { joined += rows(try take(1, &ranks[rank])) }
            #expect(joined == global)
        }
        #expect(ranks.allSatisfy { $0.state == single.state })
    }

    @Test func theNumberOfRanksMayChange() throws {
        var single = try loader(batchSize: 6)
        let expected = try take(20, &single).map { rows([$0]) }
        var two = try loader(batchSize: 3, rank: 1, worldSize: 2)
        _ = try take(10, &two)
        var three = try loader(batchSize: 2, rank: 2, worldSize: 3)
        three.state = two.state
        #expect(try take(10, &three).map { rows([$0]) } == expected[10...].map { Array($0[4...]) })
    }

    @Test func theBatchMayGrow() throws {
        var even = try loader(batchSize: 1)
        let expected = rows(try take(30, &even))
        var growing = try loader(batchSize: 1)
        var seen = rows(try take(6, &growing))
        growing.batchSize = 8
        seen += rows(try take(3, &growing))
        #expect(seen == expected)
    }

    @Test func aBatchMayHoldMoreThanAnEpoch() throws {
        var few = try loader(batchSize: 10, sequenceLength: 600)
        #expect(few.rowsPerEpoch < 10)
        #expect(try nextBatch(&few).rows == 10)
        #expect(few.state.epoch == 10 / few.rowsPerEpoch)
    }

    @Test func theLastBatchOfALimitedRunIsSmallerAndARankWithoutARowGetsPadding() throws {
        let total = try loader(batchSize: 1).rowsPerEpoch
        var ranks = try (0..<2).map { try loader(batchSize: total - 1, epochs: 1, rank: $0, worldSize: 2) }
        let first = try nextBatch(&ranks[0])
        let second = try nextBatch(&ranks[1])
        #expect(first.rows == total - 1)
        #expect(second.rows == 1)
        #expect(first.labelCount + second.labelCount == shards.tokenCount - 1)
        #expect(errorSentence { _ = try nextBatch(&ranks[0]) } == "the source is at its end")
        ranks = try (0..<2).map { try loader(batchSize: total, epochs: 1, rank: $0, worldSize: 2) }
        let padding = try nextBatch(&ranks[1])
        #expect(padding.rows == 1 && padding.labelCount == 0 && padding.labels.allSatisfy { $0 == Batch.ignored })
    }

    @Test func validationIsInOrder() throws {
        var loader = try PretrainLoader.validation(shards, sequenceLength: 16, batchSize: 5)
        var inputs: [Int32] = []
        while let batch = try loader.next() { inputs += zip(batch.inputs, batch.labels).filter { $1 != Batch.ignored }.map(\.0) }
        #expect(inputs == (0..<Int32(shards.tokenCount - 1)).map { $0 })
    }

    /// Against the plain definition, token by token.
    @Test(arguments: [5, 16, 64]) func documentsAreKeptApart(sequenceLength: Int) throws {
        var documentOf: [Int] = []
        for (number, range) in shards.documents(in: 0..<shards.tokenCount).enumerated() { documentOf += range.map { _ in number } }
        #expect(documentOf.last == 59)
        var loader = try loader(batchSize: 4, sequenceLength: sequenceLength, epochs: 1, separate: true)
        var labels = 0
        while let batch = try loader.next() {
            let documents = try #require(batch.documents)
            let positions = try #require(batch.positions)
            for index in batch.inputs.indices {
                if documents[index] == -1 {
                    #expect(batch.labels[index] == Batch.ignored && positions[index] == 0)
                    continue
                }
                let token = Int(batch.inputs[index])
                let isFirst = index % sequenceLength == 0
                let isNew = isFirst || documentOf[token - 1] != documentOf[token]
                #expect(documents[index] == (isFirst ? 0 : documents[index - 1] + (isNew ? 1 : 0)))
                #expect(positions[index] == (isNew ? 0 : positions[index - 1] + 1))
                #expect(batch.labels[index] == (documentOf[token + 1] == documentOf[token] ? Int32(token + 1) : Batch.ignored))
            }
            labels += batch.labelCount
            #expect(batch.labelCount == batch.labels.count { $0 != Batch.ignored })
        }
        #expect(labels == shards.tokenCount - 60)
    }
}

@Suite struct PermutationTests {
    @Test(arguments: [1, 2, 3, 4, 5, 17, 64, 1000, 4097]) func isAPermutation(count: Int) {
        let permutation = Permutation(count: count, seed: 11, epoch: 2)
        #expect(Set((0..<count).map { permutation[$0] }) == Set(0..<count))
    }

    /// Each place is taken by each element about equally often over many epochs (χ² with 63 degrees of freedom: 99.99 % lie below 116).
    @Test func looksRandom() {
        let (count, epochs) = (8, 4000)
        var table = [Int](repeating: 0, count: count * count)
        for epoch in 0..<epochs {
            let permutation = Permutation(count: count, seed: 5, epoch: epoch)
            for index in 0..<count { table[index * count + permutation[index]] += 1 }
        }
        let expected = Double(epochs) / Double(count)
        let chiSquare = table.map { (Double($0) - expected) * (Double($0) - expected) / expected }.reduce(0, +)
        #expect(chiSquare < 116)
    }

    /// Neighbours do not stay neighbours.
    @Test func breaksUpRuns() {
        let permutation = Permutation(count: 10000, seed: 1, epoch: 0)
        #expect((1..<10000).count { abs(permutation[$0] - permutation[$0 - 1]) == 1 } < 20)
    }
}
