import CData
import Foundation
import Testing

@testable import YuyanData

/// Han characters, drawn at random.
func randomText(_ random: inout SeededRandom, _ length: Int, alphabet: Int = 3000) -> String {
    String(String.UnicodeScalarView((0..<length).compactMap { _ in Unicode.Scalar(UInt32(0x4E00 + random.number(in: 0...alphabet - 1))) }))
}

/// The text with some characters replaced by others.
func mutated(_ text: String, _ random: inout SeededRandom, changes: Int) -> String {
    var scalars = Array(text.unicodeScalars)
    for _ in 0..<changes { scalars[random.number(in: 0...scalars.count - 1)] = Unicode.Scalar(UInt32(0x4E00 + random.number(in: 0...2999))) ?? "一" }
    return String(String.UnicodeScalarView(scalars))
}

/// As `ComparisonText` should have it, for texts without digits: slowly, by Swift's own properties.
private func plainComparison(_ text: String) -> [UInt32] {
    text.unicodeScalars.compactMap { scalar in
        let half = (0xFF01...0xFF5E).contains(scalar.value) ? Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar : scalar
        if half == "~" || half == "|" { return nil }
        switch half.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .connectorPunctuation, .dashPunctuation, .openPunctuation,
            .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation, .modifierSymbol:
            return nil
        default: return half.properties.lowercaseMapping.unicodeScalars.first?.value
        }
    }
}

func plainShingles(_ text: String, _ width: Int) -> Set<[UInt32]> {
    let scalars = plainComparison(text)
    return scalars.count < width ? [] : Set((0...scalars.count - width).map { Array(scalars[$0..<$0 + width]) })
}

func plainJaccard<Element>(_ one: Set<Element>, _ other: Set<Element>) -> Double {
    let common = one.intersection(other).count
    return Double(common) / Double(max(1, one.count + other.count - common))
}

private func scalars(_ text: String) -> String {
    var comparison = ComparisonText()
    comparison.load(text)
    return String(String.UnicodeScalarView(comparison.scalars[..<comparison.count].compactMap(Unicode.Scalar.init)))
}

@Suite struct ComparisonTextTests {
    @Test func whiteSpacePunctuationAndWidthDoNotCount() {
        #expect(scalars("雨燕，  飞得 最快。\n") == "雨燕飞得最快")
        #expect(scalars("ＡＢＣ！abc") == "abcabc")
        #expect(scalars("“Yuyan”　雨燕——《鸟》…") == "yuyan雨燕鸟")
        #expect(scalars("飞\u{200B}鸟\u{FE0F}\u{FEFF}\0") == "飞鸟")
        #expect(scalars("𠀀é🐦~|") == "𠀀é🐦")
        #expect(scalars("，。！") == "")
    }

    @Test func punctuationBetweenDigitsCounts() {
        #expect(scalars("长 1.5 米") == "长1.5米")
        #expect(scalars("１．５，２") == "1.5,2")
        #expect(scalars("共15。3") == "共15。3")
        #expect(scalars(".5，a.b 7.") == "5ab7")
        #expect(scalars("3 - 2") == "32")
    }

    @Test func agreesWithPlainReference() {
        var random = SeededRandom(seed: 7)
        let pool = Array("雨燕飞，。！？~～|AbcＡｂＣ　 \n\t“”…—é中文🐦𠀀·ÀßЖ（）()".unicodeScalars)
        for _ in 0..<500 {
            let text = String(String.UnicodeScalarView((0..<random.number(in: 0...60)).map { _ in random.element(of: pool) }))
            #expect(scalars(text) == String(String.UnicodeScalarView(plainComparison(text).compactMap(Unicode.Scalar.init))))
        }
    }

    @Test func offsetsPointIntoTheText() {
        let text = "甲，a。 𠀀é1.2"
        var comparison = ComparisonText()
        comparison.load(text, withOffsets: true)
        for index in 0..<comparison.count {
            let place = text.utf8.index(text.utf8.startIndex, offsetBy: Int(comparison.offsets[index]))
            #expect(text.unicodeScalars[place].value == comparison.scalars[index])
        }
    }

    @Test func hashesDiffer() {
        var random = SeededRandom(seed: 1)
        var seen: Set<UInt64> = []
        var texts: Set<String> = []
        for _ in 0..<20_000 {
            let text = randomText(&random, random.number(in: 1...4), alphabet: 40)
            var comparison = ComparisonText()
            comparison.load(text)
            seen.insert(comparison.hash.0)
            seen.insert(comparison.hash.1)
            texts.insert(text)
        }
        #expect(seen.count == 2 * texts.count)
    }
}

@Suite struct MinHashKernelTests {
    private func mix32(_ value: UInt32) -> UInt32 {
        var x = value
        x = (x ^ (x >> 16)) &* 0x85EB_CA6B
        x = (x ^ (x >> 13)) &* 0xC2B2_AE35
        return x ^ (x >> 16)
    }

    @Test func shingleHashesAgreeWithReference() {
        var random = SeededRandom(seed: 2)
        for (count, width) in [(5, 5), (6, 5), (300, 5), (257, 1), (1000, 13), (64, 64), (700, 64), (4, 5)] {
            let scalars = (0..<count).map { _ in UInt32(random.number(in: 0...0x10FFFF)) }
            let total = max(0, count - width + 1)
            var hashes = [UInt32](repeating: 0, count: total)
            cdata_shingle_hashes(scalars, count, width, &hashes)
            let expected = (0..<total).map { start in
                mix32(scalars[start..<start + width].reduce(0) { $0 &* 0x9E37_79B1 &+ mix32($1 &+ 0x7F4A_7C15) })
            }
            #expect(hashes == expected)
        }
    }

    @Test func minimaAgreeWithReference() {
        var random = SeededRandom(seed: 3)
        for (count, permutations) in [(1, 16), (77, 64), (500, 128), (33, 112), (0, 48)] {
            let hashes = (0..<count).map { _ in UInt32(truncatingIfNeeded: random.next()) }
            let multipliers = (0..<permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) | 1 }
            let offsets = (0..<permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) }
            var minima = [UInt32](repeating: 0, count: permutations)
            cdata_minhash(hashes, count, multipliers, offsets, permutations, &minima)
            #expect(minima == (0..<permutations).map { k in hashes.map { $0 &* multipliers[k] &+ offsets[k] }.min() ?? .max })
        }
    }

    @Test func gramHashesRoll() {
        var random = SeededRandom(seed: 4)
        let scalars = (0..<200).map { _ in UInt32(random.number(in: 0...20)) }
        var rolled = [UInt64](repeating: 0, count: 200)
        cdata_gram_hashes(scalars, 200, 13, &rolled)
        for start in 0...187 {
            var alone: UInt64 = 0
            cdata_gram_hashes(Array(scalars[start..<start + 13]), 13, 13, &alone)
            #expect(alone == rolled[start])
        }
        #expect(Set(rolled[...187]).count == Set((0...187).map { Array(scalars[$0..<$0 + 13]) }).count)
    }

    @Test func smallestAreTheSmallest() {
        var random = SeededRandom(seed: 5)
        let cases = [
            (0, 10, 4), (3, 10, 4), (100, 30, 20), (100, 15, 20), (5000, 1 << 30, 64), (5000, 70, 64), (5000, 64, 64), (9000, Int(UInt32.max), 1024),
            (2000, 1100, 1024),
        ]
        for (count, range, limit) in cases {
            var hashes = (0..<count).map { _ in UInt32(random.number(in: 0...range)) }
            let expected = Array(Set(hashes).sorted().prefix(limit))
            let found = hashes.withUnsafeMutableBufferPointer { cdata_smallest($0.baseAddress, count, limit) }
            #expect(Array(hashes[..<found]) == expected)
        }
    }

    @Test func jaccardOfSketches() {
        var random = SeededRandom(seed: 6)
        for limit in [16, 1 << 20] {
            for _ in 0..<200 {
                let one = Set((0..<random.number(in: 0...60)).map { _ in UInt32(random.number(in: 0...80)) })
                let other = Set((0..<random.number(in: 0...60)).map { _ in UInt32(random.number(in: 0...80)) })
                let (a, b) = (Array(one.sorted().prefix(limit)), Array(other.sorted().prefix(limit)))
                let isWhole = a.count < limit && b.count < limit
                let union = isWhole ? one.union(other).sorted() : Array(one.union(other).sorted().prefix(limit))
                let expected = union.isEmpty ? 0 : Double(union.count { one.contains($0) && other.contains($0) }) / Double(union.count)
                #expect(cdata_jaccard(a, a.count, b, b.count, limit) == expected)
            }
        }
    }

    @Test func pairsAreSorted() {
        var random = SeededRandom(seed: 8)
        for count in [0, 1, 2, 1000, 70_000] {
            // Many equal keys, and keys that differ in their lowest bits alone.
            var keys = (0..<count).map { _ in random.next() & 0xFFF0_0000_0000_0003 }
            var values = Array(0..<UInt32(count))
            let expected = keys.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }
            var (keyScratch, valueScratch) = ([UInt64](repeating: 0, count: count), [UInt32](repeating: 0, count: count))
            cdata_sort_pairs(&keys, &values, &keyScratch, &valueScratch, count)
            #expect(keys == expected.map(\.element))
            #expect(values == expected.map { UInt32($0.offset) })
        }
    }

    @Test func filterForgetsNothing() {
        var random = SeededRandom(seed: 9)
        let hashes = (0..<4000).map { _ in random.next() }
        var filter = [UInt64](repeating: 0, count: 1024)
        cdata_filter_insert(&filter, 10, hashes, 4000)
        var places = [UInt32](repeating: 0, count: 4000)
        #expect(cdata_filter_find(filter, 10, hashes, 4000, &places) == 4000)
        let others = (0..<4000).map { _ in random.next() }
        #expect(cdata_filter_find(filter, 10, others, 4000, &places) < 200)
    }
}

@Suite struct MinHashTests {
    /// The share of equal minima estimates the Jaccard similarity s without bias, with the variance s(1 − s)/k of k independent permutations.
    @Test func estimateHasNoBiasAndTheRightVariance() {
        let minHash = MinHash(shingle: 5, bands: 16, rows: 8)
        var random = SeededRandom(seed: 11)
        var (bias, deviation, expected, pairs) = (0.0, 0.0, 0.0, 0)
        var text = ComparisonText()
        var hashes: [UInt32] = []
        func signature(_ string: String) -> [UInt32] {
            text.load(string)
            let count = minHash.shingleHashes(text, into: &hashes)
            var minima: [UInt32] = []
            hashes.withUnsafeBufferPointer { minHash.signature(UnsafeBufferPointer(rebasing: $0[..<count]), into: &minima) }
            return minima
        }
        for _ in 0..<600 {
            // Runs of few characters too: shingles that resemble each other are the hard case of a weak hash.
            let alphabet = random.element(of: [3, 40, 3000])
            let one = randomText(&random, random.number(in: 30...300), alphabet: alphabet)
            let other = mutated(one, &random, changes: random.number(in: 1...12))
            let similarity = plainJaccard(plainShingles(one, 5), plainShingles(other, 5))
            let estimate = Double(zip(signature(one), signature(other)).count { $0 == $1 }) / 128
            bias += estimate - similarity
            deviation += (estimate - similarity) * (estimate - similarity)
            expected += similarity * (1 - similarity) / 128
            pairs += 1
        }
        // The mean of 600 estimates has a standard error of about 0.0016.
        #expect(abs(bias / Double(pairs)) < 0.006)
        #expect((0.8...1.25).contains(deviation / expected))
    }

    @Test func bandsMeetWithTheProbabilityOfTheFormula() {
        #expect(abs(MinHash.matchProbability(0.8, bands: 14, rows: 8) - 0.924) < 0.001)
        var random = SeededRandom(seed: 12)
        let minHash = MinHash(shingle: 5, bands: 14, rows: 8)
        var (met, expected, count) = (0.0, 0.0, 0.0)
        for _ in 0..<1000 {
            let one = randomText(&random, 120)
            let other = mutated(one, &random, changes: random.number(in: 1...5))
            let similarity = plainJaccard(plainShingles(one, 5), plainShingles(other, 5))
            expected += MinHash.matchProbability(similarity, bands: 14, rows: 8)
            let records = [one, other].map { Record.document(Document(id: "", text: $0, source: "")) }
            var configuration = DeduplicationConfiguration()
            (configuration.bands, configuration.rows) = (minHash.bands, minHash.rows)
            var fingerprinter = Fingerprinter(configuration)
            let columns = fingerprinter.columns(of: records[...])
            met += zip(columns.bands[..<14], columns.bands[14...]).contains { $0 == $1 } ? 1 : 0
            count += 1
        }
        #expect(abs(met - expected) / count < 0.04)
    }

    @Test func bandsAreChosenFromTheThreshold() {
        for threshold in [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1] {
            for recall in [0.5, 0.99] {
                let (bands, rows) = MinHash.bandsAndRows(threshold: threshold, recall: recall)
                #expect(bands * rows <= 128)
                #expect(MinHash.matchProbability(threshold, bands: bands, rows: rows) >= recall)
                #expect(rows == 16 || MinHash.matchProbability(threshold, bands: 128 / (rows + 1), rows: rows + 1) < recall)
            }
        }
        let usual = MinHash(DeduplicationConfiguration())
        #expect((usual.bands, usual.rows) == (21, 6))
    }

    @Test func sketchOfALongTextEstimatesItsSimilarity() {
        var random = SeededRandom(seed: 13)
        let minHash = MinHash(shingle: 5, bands: 1, rows: 1)
        func sketch(_ string: String) -> [UInt32] {
            var text = ComparisonText()
            var (hashes, sketch): ([UInt32], [UInt32]) = ([], [])
            text.load(string)
            let count = minHash.shingleHashes(text, into: &hashes)
            ShingleSketch.append(&hashes, count: count, to: &sketch)
            ShingleSketch.prepare(&sketch)
            return sketch
        }
        for (length, tolerance) in [(800, 1e-9), (8000, 0.07)] {
            let one = randomText(&random, length)
            let other = mutated(one, &random, changes: length / 60)
            let exact = plainJaccard(plainShingles(one, 5), plainShingles(other, 5))
            #expect(sketch(one).count <= ShingleSketch.limit)
            #expect(abs(ShingleSketch.similarity(sketch(one), sketch(other)) - exact) < tolerance)
        }
    }
}

@Suite struct UnionFindTests {
    @Test func agreesWithPlainSets() {
        var random = SeededRandom(seed: 14)
        for _ in 0..<20 {
            let count = random.number(in: 1...200)
            var ranks = Array(0..<UInt32(count))
            random.shuffle(&ranks)
            var sets = UnionFind(ranks: ranks)
            var plain = (0..<count).map { Set([$0]) }
            for _ in 0..<random.number(in: 0...count) {
                let (one, other) = (random.number(in: 0...count - 1), random.number(in: 0...count - 1))
                sets.union(UInt32(one), UInt32(other))
                let both = plain[one].union(plain[other])
                for member in both { plain[member] = both }
            }
            let expected = plain.map { UInt32($0.min { ranks[$0] < ranks[$1] } ?? 0) }
            #expect(sets.representatives() == expected)
        }
    }

    @Test(arguments: [1 << 25, 700, 64]) func equalHashesAreFoundInAnyNumberOfPasses(limit: Int) throws {
        var random = SeededRandom(seed: 15)
        let blocks = (0..<7).map { _ in
            (0..<random.number(in: 0...900)).map { _ in random.number(in: 0...3) == 0 ? 0 : mix(UInt64(random.number(in: 0...999))) }
        }
        let all = blocks.flatMap { $0 }
        let expected = Dictionary(grouping: all.indices.filter { all[$0] != 0 }, by: { all[$0] }).values.filter { $0.count > 1 }
        var found: Set<[Int]> = []
        var finder = EqualHashes()
        finder.limit = limit
        try finder.forEachGroup(count: all.count, blocks: blocks.count) {
            blocks[$0]
        } body: {
            found.insert($0.map { Int($0) })
        }
        #expect(found == Set(expected))
    }
}
