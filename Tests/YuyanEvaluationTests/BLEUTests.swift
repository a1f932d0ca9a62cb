import Foundation
import Testing

@testable import YuyanEvaluation

/// Against sacrebleu (`Fixtures/bleu.py`).
@Suite struct BLEUTests {
    struct Case: Decodable {
        var texts: [String]
        var references: [String]
        var words: [[String]]
        var score: Double
        var precisions: [Double]
        var brevityPenalty: Double
        var length: Int
        var referenceLength: Int
    }

    static let cases: [Case] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/bleu.json")
        do { return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file)) } catch { fatalError("\(file.path): \(error)") }
    }()

    @Test(arguments: cases.indices) func theNumbersAreThoseOfSacrebleu(index: Int) {
        let golden = Self.cases[index]
        for (text, words) in zip(golden.texts, golden.words) { #expect(BLEU.words(text).map { Array($0.utf8) } == words.map { Array($0.utf8) }) }
        let found = BLEU(golden.texts, references: golden.references)
        #expect(abs(found.score - golden.score) < 1e-9)
        #expect(zip(found.precisions, golden.precisions).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(abs(found.brevityPenalty - golden.brevityPenalty) < 1e-12)
        #expect(found.length == golden.length && found.referenceLength == golden.referenceLength)
    }

    @Test func whatIsTheSameHasAHundredAndWhatIsNothingNone() {
        #expect(abs(BLEU(["今天天气很好。"], references: ["今天天气很好。"]).score - 100) < 1e-9)
        #expect(BLEU([""], references: ["今天"]).score == 0)
        #expect(BLEU([], references: []).score == 0)
    }
}
