import CData

/// A text as it is compared: without white space and punctuation, in half width and lower case. (Punctuation between two digits stays: 1.5 is not 15.)
struct ComparisonText {
    /// The scalars are the first `count` of these.
    private(set) var scalars: [UInt32] = []
    private(set) var count = 0
    /// Where each scalar begins in the text's UTF-8, after `load(withOffsets: true)`.
    private(set) var offsets: [UInt32] = []

    /// Takes a text in.
    mutating func load(_ text: String, withOffsets: Bool = false) {
        var text = text
        text.withUTF8 { load($0, withOffsets: withOffsets) }
    }

    /// Takes well-formed UTF-8 in.
    mutating func load(_ text: UnsafeBufferPointer<UInt8>, withOffsets: Bool = false) {
        precondition(text.count <= UInt32.max, "a text of more than 4 GB")
        count = 0
        guard let base = text.baseAddress, !text.isEmpty else { return }
        if scalars.count < text.count { scalars = [UInt32](repeating: 0, count: text.count * 3 / 2) }
        if withOffsets, offsets.count < text.count { offsets = [UInt32](repeating: 0, count: text.count * 3 / 2) }
        count = scalars.withUnsafeMutableBufferPointer { scalars in
            Self.table.withUnsafeBufferPointer { table in
                withOffsets
                    ? offsets.withUnsafeMutableBufferPointer {
                        cdata_comparison_scalars(base, text.count, table.baseAddress, scalars.baseAddress, $0.baseAddress)
                    } : cdata_comparison_scalars(base, text.count, table.baseAddress, scalars.baseAddress, nil)
            }
        }
    }

    /// The same; but a text of nothing but punctuation counts as it stands, or all of them would be copies.
    mutating func loadWhole(_ text: String) {
        load(text)
        guard count == 0 else { return }
        for scalar in text.unicodeScalars where !scalar.properties.isWhitespace {
            if count == scalars.count { scalars.append(0) }
            scalars[count] = scalar.value
            count += 1
        }
    }

    /// A 128-bit hash of it.
    var hash: (UInt64, UInt64) {
        var hash: (UInt64, UInt64) = (0, 0)
        scalars.withUnsafeBufferPointer { scalars in
            withUnsafeMutableBytes(of: &hash) { cdata_hash_scalars(scalars.baseAddress, count, $0.assumingMemoryBound(to: UInt64.self).baseAddress) }
        }
        return hash
    }

    /// What each scalar of the basic plane counts as: 0 nothing, 1 punctuation, else a scalar.
    static let table: [UInt16] = (0..<0x10000).map { value in
        guard let scalar = Unicode.Scalar(UInt32(value)) else { return 0 }
        if (0x4E00...0x9FEF).contains(value) || (0xAC00...0xD7A3).contains(value) { return UInt16(value) }  // Han and Hangul: most of the plane
        if scalar.properties.isWhitespace || scalar.properties.isDefaultIgnorableCodePoint || scalar.properties.isVariationSelector { return 0 }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .unassigned, .privateUse: return 0
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
            .otherPunctuation, .modifierSymbol:
            return 1
        default: break
        }
        // The full-width forms of ASCII (Unicode Standard, Halfwidth and Fullwidth Forms) stand 0xFEE0 above it.
        let half = (0xFF01...0xFF5E).contains(value) ? Unicode.Scalar(UInt32(value - 0xFEE0)) ?? scalar : scalar
        if half == "~" || half == "|" { return 1 }
        guard half.properties.changesWhenLowercased else { return UInt16(half.value) }
        let lower = half.properties.lowercaseMapping.unicodeScalars
        guard lower.count == 1, let one = lower.first, one.value > 1, one.value < 0x10000 else { return UInt16(half.value) }
        return UInt16(one.value)
    }

    /// Changes when the table does (with a new version of Unicode): what was compared with another one cannot be compared with this.
    static let fingerprint: UInt64 = {
        var checksum = Checksum()
        table.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }()
}
