import CData
import Foundation

/// A language as far as cleaning Chinese text needs to tell them apart.
public enum Language: String, CaseIterable, Codable, Sendable {
    /// Chinese, in either way of writing.
    case zh
    /// Japanese.
    case ja
    /// Korean.
    case ko
    /// English.
    case en
    /// Any other, or none.
    case other
}

/// How many characters of a text belong to which script.
public struct ScriptCounts: Sendable, Hashable {
    /// Han characters; among them those that only traditional and only simplified text has.
    public var han = 0, traditional = 0, simplified = 0
    /// Hiragana and katakana.
    public var kana = 0
    /// Hangul.
    public var hangul = 0
    /// Letters `A–Z` and `a–z`, and Latin letters beyond ASCII.
    public var latin = 0, accented = 0
    /// Cyrillic letters.
    public var cyrillic = 0
    /// Letters of other scripts.
    public var otherLetters = 0
    /// Digits of all scripts.
    public var digits = 0
    /// All characters.
    public var characters = 0

    /// No text.
    public init() {}

    /// The scripts of a text; throws where OpenCC's dictionaries, which tell traditional from simplified characters, are not installed.
    public init(_ text: String) throws {
        let table = try ScalarKind.table()
        var counts = [Int](repeating: 0, count: 256)
        var text = text
        text.withUTF8 { bytes in
            var index = 0
            while index < bytes.count {
                let (value, length) = scalar(in: bytes, at: index)
                counts[value < ScalarKind.limit ? Int(table[Int(value)]) : 0] += 1
                index += length
            }
        }
        self.init(kinds: counts)
    }

    /// From how often each byte of the table was met.
    init(kinds: [Int]) {
        for (kind, count) in kinds.enumerated() where count > 0 {
            characters += count
            switch UInt8(kind) & ScalarKind.mask {
            case ScalarKind.han:
                han += count
                if UInt8(kind) & ScalarKind.traditional != 0 { traditional += count }
                if UInt8(kind) & ScalarKind.simplified != 0 { simplified += count }
            case ScalarKind.kana: kana += count
            case ScalarKind.hangul: hangul += count
            case ScalarKind.latin: latin += count
            case ScalarKind.accented: accented += count
            case ScalarKind.cyrillic: cyrillic += count
            case ScalarKind.letter: otherLetters += count
            case ScalarKind.digit: digits += count
            default: break
            }
        }
    }

    /// The share of the Han characters that only traditional text has. In traditional prose about a third are such, in simplified prose nearly none.
    public var traditionalShare: Double { han == 0 ? 0 : Double(traditional) / Double(han) }

    /// The share of the Han characters that only simplified text has.
    public var simplifiedShare: Double { han == 0 ? 0 : Double(simplified) / Double(han) }

    /// The language that the scripts speak for, and how much of the text is in them, from 0 to 1.
    ///
    /// A letter of an alphabet weighs a quarter of a Han character: a word has about five letters where Chinese has one or two characters. Text with a
    /// kana for every ten Han characters is Japanese, text that is mostly hangul Korean.
    public var language: (language: Language, score: Double) {
        let eastern = han + kana + hangul
        let weights: [(Language, Double)] = [
            (.zh, kana * 10 < han + kana && hangul <= han ? Double(han) : 0),
            (.ja, kana * 10 >= han + kana && kana > 0 && hangul <= han + kana ? Double(han + kana) : 0),
            (.ko, hangul > han + kana || hangul > 0 && hangul > han ? Double(hangul) : 0),
            // Nearly every other language of Latin letters has more than one accent in fifty.
            (.en, accented * 50 <= latin ? Double(latin + accented) / 4 : 0),
            (.other, Double(cyrillic + otherLetters + (accented * 50 > latin ? latin + accented : 0)) / 4),
        ]
        let total = Double(eastern) + Double(latin + accented + cyrillic + otherLetters) / 4
        guard total > 0, let best = weights.max(by: { $0.1 < $1.1 }), best.1 > 0 else { return (.other, 0) }
        return (best.0, best.1 / total)
    }
}

/// A fastText classifier of languages, lid.176 or another with labels such as `__label__zh` or `__label__cmn_Hani`.
public final class LanguageDetector: @unchecked Sendable {  // predictions only read the model
    private let model: OpaquePointer

    /// Loads a .bin or .ftz file.
    public init(contentsOf file: String) throws {
        guard FileManager.default.isReadableFile(atPath: file) else { throw DataError.unreadable(URL(fileURLWithPath: file)) }
        var reason = [CChar](repeating: 0, count: 512)
        guard let model = cdata_language_open(file, &reason, reason.count) else {
            throw DataError("\(file): not a fastText model of languages (\(Self.text(reason))); lid.176.bin and lid.176.ftz are such models")
        }
        self.model = model
    }

    deinit {
        cdata_language_close(model)
    }

    /// The label without its prefix, and its probability; nil where the model knows nothing of the text. Its first 4,096 bytes decide.
    public func predict(_ text: String) -> (label: String, probability: Double)? {
        var text = text
        let line = text.withUTF8 { bytes in
            var end = min(bytes.count, 4096)
            while end < bytes.count, end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            return bytes[..<end].map { $0 < 0x20 ? 0x20 : $0 }
        }
        var label = [CChar](repeating: 0, count: 256)
        var probability: Float = 0
        let found = line.withUnsafeBytes { cdata_language_predict(model, $0.baseAddress, $0.count, &label, label.count, &probability) }
        guard found == 1 else { return nil }
        let name = Self.text(label)
        return (name.hasPrefix("__label__") ? String(name.dropFirst(9)) : name, Double(probability))
    }

    /// The language of a label: codes of ISO 639-1 and 639-3, with or without a script.
    public static func language(of label: String) -> Language {
        switch label.prefix(while: { $0 != "_" && $0 != "-" }) {
        case "zh", "zho", "cmn", "yue", "wuu", "lzh", "hak", "nan": .zh
        case "ja", "jpn": .ja
        case "ko", "kor": .ko
        case "en", "eng": .en
        default: .other
        }
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
