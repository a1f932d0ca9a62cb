import Foundation

/// BLEU of a corpus (Papineni et al. 2002), in the numbers of sacrebleu with `--tokenize zh` (Post 2018): Chinese characters are words, n-grams up to 4, counts of
/// zero smoothed by halving (`exp`), one reference for each text.
public struct BLEU: Sendable, Codable, Hashable {
    /// 0 to 100.
    public var score: Double
    /// Of n-grams of 1 to 4, in percent.
    public var precisions: [Double]
    public var brevityPenalty: Double
    /// Tokens of the texts, and of their references.
    public var length: Int
    public var referenceLength: Int

    /// Measures texts against references, as many of each.
    public init(_ texts: [String], references: [String]) {
        precondition(texts.count == references.count, "\(texts.count) texts and \(references.count) references")
        let longest = 4
        var (right, all) = ([Int](repeating: 0, count: longest), [Int](repeating: 0, count: longest))
        (length, referenceLength) = (0, 0)
        for (text, reference) in zip(texts, references) {
            let (words, expected) = (Self.words(text), Self.words(reference))
            (length, referenceLength) = (length + words.count, referenceLength + expected.count)
            for n in 1...longest {
                let (found, allowed) = (Self.counts(words, n), Self.counts(expected, n))
                right[n - 1] += found.reduce(0) { $0 + min($1.value, allowed[$1.key] ?? 0) }
                all[n - 1] += max(0, words.count - n + 1)
            }
        }
        brevityPenalty = length >= referenceLength ? 1 : length > 0 ? exp(1 - Double(referenceLength) / Double(length)) : 0
        precisions = [Double](repeating: 0, count: longest)
        var smoothing = 1.0
        for n in 0..<longest where all[n] > 0 {
            if right[n] == 0 { smoothing *= 2 }
            precisions[n] = 100 * (right[n] == 0 ? 1 / smoothing : Double(right[n])) / Double(all[n])
        }
        let isRight = right.contains { $0 > 0 } && precisions.allSatisfy { $0 > 0 }
        score = isRight ? brevityPenalty * exp(precisions.reduce(0) { $0 + log($1) } / Double(longest)) : 0
    }

    private static func counts(_ words: [String], _ n: Int) -> [ArraySlice<String>: Int] {
        guard words.count >= n else { return [:] }
        return (0...words.count - n).reduce(into: [:]) { $0[words[$1..<$1 + n], default: 0] += 1 }
    }

    /// Chinese characters and punctuation one by one, the rest as the regular expressions of mteval-v13a cut it.
    static func words(_ text: String) -> [String] {
        var spaced = String.UnicodeScalarView()
        func apart(_ scalar: Unicode.Scalar) { spaced.append(contentsOf: [" ", scalar, " "]) }
        for scalar in text.unicodeScalars {
            if isChinese(scalar) || isSymbol(scalar) { apart(scalar) } else { spaced.append(scalar) }
        }
        // A full stop or comma belongs to a number where digits stand on both sides, a dash does not.
        let line = String(spaced)
            .replacing(/([^0-9])([.,])/.matchingSemantics(.unicodeScalar)) { "\($0.output.1) \($0.output.2) " }
            .replacing(/([.,])([^0-9])/.matchingSemantics(.unicodeScalar)) { " \($0.output.1) \($0.output.2)" }
            .replacing(/([0-9])(-)/.matchingSemantics(.unicodeScalar)) { "\($0.output.1) \($0.output.2) " }
        return line.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }
    }

    /// ASCII's punctuation without `'`, `,`, `-` and `.`.
    private static func isSymbol(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && !["'", ",", "-", "."].contains(scalar)
            && (33...47 ~= scalar.value || 58...64 ~= scalar.value || 91...96 ~= scalar.value || 123...126 ~= scalar.value)
    }

    /// sacrebleu's ranges; the two that it means to lie above U+FFFF lie below, which takes in general punctuation and arrows.
    private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x2001...0x2A6D, 0x2E80...0x2FDF, 0x2FF0...0x303F, 0x3100...0x312F, 0x31A0...0x31BF, 0x31C0...0x31EF, 0x3200...0x33FF, 0x3400...0x4DB5,
            0x4E00...0x9FBB, 0xF900...0xFA2D, 0xFA30...0xFA6A, 0xFA70...0xFAD9, 0xFE10...0xFE1F, 0xFE30...0xFE4F, 0xFF00...0xFFEF:
            true
        default: false
        }
    }
}
