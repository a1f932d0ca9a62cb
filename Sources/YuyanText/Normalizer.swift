import Foundation

/// Rewrites text before it is split: the normalisers of `tokenizer.json`, in plain form. The fast paths are tested against these.
indirect enum Normalizer: Sendable {
    case nfc, nfd, nfkc, nfkd
    case lowercase
    case stripAccents
    case bert(BertNormalizer)
    case replace(Pattern, with: [UInt8])
    case strip(left: Bool, right: Bool)
    case prepend([UInt8])
    case sequence([Normalizer])

    func normalize(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .nfc:
            if isNormalizedQuickly(text) { return text }
            return Array(String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
        case .nfd: return Array(String(decoding: text, as: UTF8.self).decomposedStringWithCanonicalMapping.utf8)
        case .nfkc: return Array(String(decoding: text, as: UTF8.self).precomposedStringWithCompatibilityMapping.utf8)
        case .nfkd: return Array(String(decoding: text, as: UTF8.self).decomposedStringWithCompatibilityMapping.utf8)
        case .lowercase: return mapped(text) { $0.properties.lowercaseMapping }
        case .stripAccents: return mapped(text) { $0.properties.generalCategory == .nonspacingMark ? "" : nil }
        case .bert(let normalizer): return normalizer.normalize(text)
        case .replace(let pattern, let content):
            var result: [UInt8] = []
            var end = 0
            for match in text.withUnsafeBufferPointer({ pattern.matches(in: $0) }) {
                result.append(contentsOf: text[end..<match.lowerBound])
                result.append(contentsOf: content)
                end = match.upperBound
            }
            return end == 0 ? text : result + text[end...]
        case .strip(let left, let right):
            var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
            while left, let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
            while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
            return Array(String(scalars).utf8)
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .sequence(let normalizers): return normalizers.reduce(text) { $1.normalize($0) }
        }
    }

    /// Whether the text is in NFC for certain; false means that it may be.
    func isNormalizedQuickly(_ text: some Collection<UInt8>) -> Bool {
        text.withContiguousStorageIfAvailable { isStableInNFC($0) } ?? false
    }
}

/// Whether a look at single scalars suffices to see that NFC leaves the text as it is.
func isStableInNFC(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let base = text.baseAddress else { return true }
    let classes = ScalarClasses.table
    var index = 0
    while index < text.count {
        // The two-byte lead 0xCC begins U+0300; everything before it is stable.
        if base[index] < 0xCC {
            index += 1
            continue
        }
        let (value, length) = scalar(base, index)
        if classes[Int(value)] & ScalarClasses.composable.rawValue != 0 { return false }
        index += length
    }
    return true
}

/// Each scalar replaced by what `map` gives, kept where it gives nil.
private func mapped(_ text: [UInt8], _ map: (Unicode.Scalar) -> String?) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
        if let replacement = map(scalar) {
            result.append(contentsOf: Array(replacement.utf8))
        } else {
            result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }
    return result
}

/// BERT's normaliser: cleaning, spaces around ideographs, accents, case, in this order.
struct BertNormalizer: Sendable, Hashable {
    var cleanText = true
    var isolatesIdeographs = true
    /// As `strip_accents` has it; nil follows `lowercases`.
    var stripsAccents: Bool?
    var lowercases = true

    var removesAccents: Bool { stripsAccents ?? lowercases }

    func normalize(_ text: [UInt8]) -> [UInt8] {
        var text = text
        if cleanText {
            text = mapped(text) { isBertControl($0) ? "" : $0.properties.isWhitespace ? " " : nil }
        }
        if isolatesIdeographs {
            text = mapped(text) { isBertIdeograph($0.value) ? " \($0) " : nil }
        }
        if removesAccents {
            text = mapped(Array(String(decoding: text, as: UTF8.self).decomposedStringWithCanonicalMapping.utf8)) { isBertAccent($0) ? "" : nil }
        }
        if lowercases {
            text = mapped(text) { $0.properties.lowercaseMapping }
        }
        return text
    }
}
