import Foundation
import Testing

@testable import YuyanData

@Suite struct KeywordMatcherTests {
    /// Every word at every place, one after the other.
    private func naive(_ words: [String], _ allowed: [String], _ text: String) -> [KeywordMatcher.Match] {
        func fold(_ text: String) -> [UInt32] { text.unicodeScalars.map { (0x41...0x5A).contains($0.value) ? $0.value + 32 : $0.value } }
        let scalars = fold(text)
        func places(_ word: String) -> [Range<Int>] {
            let word = fold(word)
            guard !word.isEmpty, word.count <= scalars.count else { return [] }
            return (0...scalars.count - word.count).filter { Array(scalars[$0..<$0 + word.count]) == word }.map { $0..<$0 + word.count }
        }
        let around = allowed.flatMap(places)
        return words.enumerated().flatMap { index, word in places(word).map { KeywordMatcher.Match(range: $0, word: index) } }
            .filter { match in !around.contains { $0.lowerBound <= match.range.lowerBound && match.range.upperBound <= $0.upperBound } }
            .sorted { ($0.range.upperBound, $0.range.lowerBound) < ($1.range.upperBound, $1.range.lowerBound) }
    }

    @Test func findsWhatASearchFinds() {
        var random = SeededRandom(seed: 3)
        let alphabet = Array("天地人和aAb𠀀，")
        for _ in 0..<500 {
            func word(_ longest: Int) -> String { String((0..<random.number(in: 1...longest)).map { _ in random.element(of: alphabet) }) }
            let list = (0..<random.number(in: 0...12)).map { _ in word(4) }
            let allowed = (0..<random.number(in: 0...3)).map { _ in word(6) }
            let matcher = KeywordMatcher(list, allowed: allowed)
            let text = word(60)
            let expected = naive(matcher.words, allowed, text)
            #expect(matcher.matches(in: text) == expected, "\(list) \(allowed) \(text)")
            let scalars = text.unicodeScalars.map(\.value)
            #expect(scalars.withUnsafeBufferPointer { matcher.matches(in: $0) } == expected)
            if allowed.isEmpty {
                let covered = Set(expected.flatMap { Array($0.range) }).count
                #expect(scalars.withUnsafeBufferPointer { matcher.coveredCount(in: $0) } == covered)
            }
        }
    }

    @Test func countsAndAllows() {
        let matcher = KeywordMatcher(["赌博", "博彩", "VPN", "赌博"], allowed: ["反对赌博", "博彩众长"])
        let count = matcher.count(in: "反对赌博。赌博网站，vpn与VPN；博彩众长。")
        #expect(count.hits == 3)
        #expect(count.words == ["赌博": 1, "VPN": 2])
        #expect(count.rate == 3.0 / Double(count.characters))
        #expect(KeywordMatcher([]).count(in: "文").hits == 0)
        #expect(KeywordMatcher([""]).words.isEmpty)
    }

    @Test func readsListsFromFiles() throws {
        let folder = try TemporaryFolder()
        let words = try folder.write("a.txt", "甲乙\r\n\n 丙丁 \n")
        let allowed = try folder.write("b.txt", "甲乙丙")
        let matcher = try KeywordMatcher(files: [words], allowed: [allowed])
        #expect(matcher.words == ["甲乙", "丙丁"])
        #expect(matcher.count(in: "甲乙丙丁甲乙").words == ["丙丁": 1, "甲乙": 1])
        #expect(errorSentence { _ = try KeywordMatcher(files: [folder.file("none").path]) }.contains("cannot read it"))
    }

    @Test func aLongListAgreesWithTheSearch() {
        var random = SeededRandom(seed: 9)
        let list = (0..<3000).map { _ in
            String(
                String.UnicodeScalarView(
                    (0..<random.number(in: 1...5)).compactMap { _ in Unicode.Scalar(UInt32(random.number(in: 0x4E00...0x4E60))) }))
        }
        let text = String(String.UnicodeScalarView((0..<400).compactMap { _ in Unicode.Scalar(UInt32(random.number(in: 0x4E00...0x4E60))) }))
        let matcher = KeywordMatcher(list)
        #expect(matcher.matches(in: text) == naive(matcher.words, [], text))
    }
}
