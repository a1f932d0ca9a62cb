import Foundation
import Testing

@testable import YuyanData

@Suite struct LanguageTests {
    @Test func scriptsTellLanguagesApart() throws {
        let table: [(String, Language)] = [
            ("雨燕归来，城楼上已经能听见它们的叫声。", .zh), ("漢語與國語的分別，在於用字。", .zh), ("今日は良い天気ですね。", .ja), ("カタカナ", .ja), ("오늘은 날씨가 좋습니다.", .ko),
            ("The swifts are back over the city gate.", .en), ("Les étés où les martinets sont revenus à l'été précédent.", .other),
            ("Стрижи вернулись.", .other), ("", .other),
            ("12345 !!!", .other), ("我用iPhone和MacBook写Swift程序。", .zh), ("الطيور", .other),
        ]
        for (text, language) in table {
            let guess = try ScriptCounts(text).language
            #expect(guess.language == language, "\(text) \(guess)")
            #expect((0...1).contains(guess.score))
        }
        #expect(try ScriptCounts("雨燕归来。").language.score == 1)
        #expect(try ScriptCounts("雨燕abcd").language.score == 2.0 / 3)
    }

    @Test func waysOfWritingAreToldApart() throws {
        let traditional = try ScriptCounts("漢語與國語的分別，在於用字。")
        #expect(traditional.traditionalShare > 0.3 && traditional.simplifiedShare == 0)
        let simplified = try ScriptCounts("汉语与国语的分别，在于用字。")
        #expect(simplified.simplifiedShare > 0.3 && simplified.traditionalShare == 0)
    }

    @Test func everyScalarIsOfOneKind() throws {
        let table = try ScalarKind.table()
        for value in UInt32(0)..<UInt32(ScalarKind.limit) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let kind = table[Int(value)] & ScalarKind.mask
            #expect((kind == ScalarKind.space || kind == ScalarKind.lineEnd) == scalar.properties.isWhitespace)
            #expect((kind == ScalarKind.han) == isHan(value))
            if kind != ScalarKind.han { #expect(table[Int(value)] & (ScalarKind.traditional | ScalarKind.simplified) == 0) }
        }
    }

    /// A classifier in the layout of fastText's version 12, written byte by byte: three words that speak for one label each.
    private func model() -> [UInt8] {
        var bytes: [UInt8] = []
        func put<Number>(_ value: Number) { withUnsafeBytes(of: value) { bytes += $0 } }
        put(Int32(793_712_314))
        put(Int32(12))
        // dim, ws, epoch, minCount, neg, wordNgrams, loss (softmax), model (supervised), bucket, minn, maxn, lrUpdateRate
        for value: Int32 in [3, 5, 1, 1, 5, 1, 3, 3, 0, 0, 0, 100] { put(value) }
        put(1e-4)
        let words = ["雨燕", "swift", "ツバメ"]
        let labels = ["__label__zh", "__label__eng_Latn", "__label__ja"]
        put(Int32(6))
        put(Int32(3))
        put(Int32(3))
        put(Int64(6))
        put(Int64(-1))
        for (kind, list) in [(Int8(0), words), (1, labels)] {
            for word in list {
                bytes += Array(word.utf8) + [0]
                put(Int64(1))
                put(kind)
            }
        }
        for _ in 0..<2 {
            bytes.append(0)
            put(Int64(3))
            put(Int64(3))
            for row in 0..<3 { for column in 0..<3 { put(Float(row == column ? 4 : 0)) } }
        }
        return bytes
    }

    @Test func fastTextPredictsByItsModel() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("lid.bin", model())
        let model = try LanguageDetector(contentsOf: file)
        let swift = try #require(model.predict("swift swift\nswift"))
        #expect(swift.label == "eng_Latn")
        #expect(abs(swift.probability - 1) < 1e-3)
        #expect(model.predict("雨燕")?.label == "zh")
        let mixed = try #require(model.predict("雨燕 swift 雨燕"))
        #expect(mixed.label == "zh")
        // softmax of 16·(2/3, 1/3, 0)
        let terms = [exp(32.0 / 3), exp(16.0 / 3), 1]
        #expect(abs(mixed.probability - terms[0] / (terms[0] + terms[1] + 1)) < 1e-3)
        #expect(model.predict("unknown") == nil)
        #expect(model.predict("") == nil)
        #expect(model.predict(String(repeating: "雨燕 ", count: 5000))?.label == "zh")
        let texts = (0..<500).map { ["雨燕", "swift", "ツバメ"][$0 % 3] }
        let labels = try parallelMap(texts) { model.predict($0)?.label ?? "" }
        #expect(labels == (0..<500).map { ["zh", "eng_Latn", "ja"][$0 % 3] })

        var configuration = StatisticsConfiguration()
        configuration.languageModel = file
        let meter = try TextMeter(configuration)
        #expect(abs(Double(meter.measure("雨燕 swift 雨燕")[.chineseScore] ?? 0) - terms[0] / (terms[0] + terms[1] + 1)) < 1e-3)
        #expect(meter.measure("swift 雨燕 swift")[.chineseScore] == 0)
        #expect(LanguageDetector.language(of: "cmn_Hani") == .zh)
        #expect(LanguageDetector.language(of: "fr") == .other)
    }

    @Test func aWrongModelIsRefused() throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("a.bin", "这不是模型")
        #expect(errorSentence { _ = try LanguageDetector(contentsOf: text) }.contains("a.bin: not a fastText model of languages"))
        #expect(errorSentence { _ = try LanguageDetector(contentsOf: folder.file("none.bin").path) }.contains("cannot read it"))
    }
}
