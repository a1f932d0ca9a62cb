import Foundation

/// Text whose bytes were read in the wrong encoding.
///
/// UTF-8 read as Latin-1 or Windows-1252 makes three accented letters and signs of each Han character (`ä¸­æ–‡` for 中文); UTF-8 read as GBK makes three
/// rare characters of each two (`鎴戜滑` for 我们). The way back is to write the characters in the wrong encoding again and to read the bytes as UTF-8. It
/// is taken where all bytes of a stretch come out well-formed and the result is common text where the stretch was not.
enum Mojibake {
    /// Gives the number of stretches that were mended.
    static func mend(_ text: inout String) -> Int {
        edit(&text, mendLatin) + edit(&text, mendGBK)
    }

    // MARK: Latin-1 and Windows-1252

    /// The byte that Windows-1252, or Latin-1 for its gaps, reads as this scalar, for bytes from 0x80.
    @inline(__always)
    static func latinByte(_ value: UInt32) -> UInt8? {
        if value < 0x80 { return nil }
        if value < 0x100 { return UInt8(value) }
        guard value < 0x2123 else { return nil }
        return windows1252[value]
    }

    private static let windows1252: [UInt32: UInt8] = [
        0x20AC: 0x80, 0x201A: 0x82, 0x0192: 0x83, 0x201E: 0x84, 0x2026: 0x85, 0x2020: 0x86, 0x2021: 0x87, 0x02C6: 0x88, 0x2030: 0x89, 0x0160: 0x8A,
        0x2039: 0x8B, 0x0152: 0x8C, 0x017D: 0x8E, 0x2018: 0x91, 0x2019: 0x92, 0x201C: 0x93, 0x201D: 0x94, 0x2022: 0x95, 0x2013: 0x96, 0x2014: 0x97,
        0x02DC: 0x98, 0x2122: 0x99, 0x0161: 0x9A, 0x203A: 0x9B, 0x0153: 0x9C, 0x017E: 0x9E, 0x0178: 0x9F,
    ]

    /// What Windows-1252 makes of a byte from 0x80 to 0x9F.
    static let windows1252Scalars: [UInt8: UInt32] = Dictionary(uniqueKeysWithValues: windows1252.map { ($1, $0) })

    private static func mendLatin(_ edits: inout TextEdits) {
        let bytes = edits.source
        var index = 0
        while index < bytes.count {
            // U+00C2 to U+00F4, the lead bytes of UTF-8, are all written C3 xx; Â is too.
            guard let start = position(of: 0xC3, in: bytes, from: index) else { return }
            var end = start
            var original: [UInt8] = []
            while let (character, length) = latinCharacter(in: bytes, at: end) {
                original += character
                end += length
            }
            if original.isEmpty {
                index = start + 2
            } else {
                edits.replace(start..<end, with: original)
                index = end
            }
        }
    }

    /// The UTF-8 bytes of one character that was read as two to four Latin ones; nil where these are not such.
    private static func latinCharacter(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (character: [UInt8], length: Int)? {
        var character: [UInt8] = []
        var index = start
        var needed = 1
        while character.count < needed {
            guard index < bytes.count else { return nil }
            let (value, length) = scalar(in: bytes, at: index)
            guard let byte = latinByte(value) else { return nil }
            if character.isEmpty {
                switch byte {
                case 0xC2, 0xC3: needed = 2
                case 0xE2...0xE9, 0xEF: needed = 3
                default: return nil
                }
            } else if byte & 0xC0 != 0x80 {
                return nil
            }
            character.append(byte)
            index += length
        }
        // Accented letters and signs (Ã© for é, Â· for ·), Han, and the punctuation that goes with it; not whatever else three letters may spell.
        let value = character.withUnsafeBufferPointer { scalar(in: $0, at: 0).value }
        switch value {
        case 0xA0...0xFF, 0x2010...0x2030, 0x2460...0x2473, 0x3000...0x30FF, 0x3400...0x9FFF, 0xFF01...0xFF5E: return (character, index - start)
        default: return nil
        }
    }

    // MARK: GBK

    private static func mendGBK(_ edits: inout TextEdits) {
        let bytes = edits.source
        let codes = GBK.codes
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0xE3 {
                index += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : 3
                continue
            }
            let (value, length) = scalar(in: bytes, at: index)
            // The first of three reads as the first two bytes of a character of the block of Han or its punctuation: E3–E9 or EF, then 80–BF.
            guard value < 0x10000, GBK.isLead(codes[Int(value)]) else {
                index += length
                continue
            }
            // U+FFFD twice, read as GBK: nothing of the text is left in it.
            if value == 0x951F, hasPrefix("锟斤拷", in: bytes, at: index) {
                edits.remove(index..<index + 9)
                index += 9
                continue
            }
            if let (original, end) = gbkStretch(in: bytes, from: index) {
                edits.replace(index..<end, with: original)
                index = end
            } else {
                index += length
            }
        }
    }

    /// The longest stretch from `start` whose GBK bytes are UTF-8 of common characters; nil where there is none of two characters or more.
    private static func gbkStretch(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> (original: [UInt8], end: Int)? {
        var original: [UInt8] = []
        var (checked, index, end) = (0, start, start)
        var (characters, rare, common, kept) = (0, 0, 0, 0)
        scan: while index < bytes.count {
            let (value, length) = scalar(in: bytes, at: index)
            guard value >= 0x80, value < 0x10000, GBK.codes[Int(value)] != 0 else { break }
            let code = GBK.codes[Int(value)]
            original.append(UInt8(code >> 8))
            original.append(UInt8(code & 0xFF))
            index += length
            characters += 1
            if GBK.isCommon(code) { common += 1 }
            // Read what is complete; a character's last byte may be the first of the next pair.
            while checked < original.count {
                let first = original[checked]
                if first < 0x80 {
                    checked += 1  // the second byte of a pair may be ASCII
                    continue
                }
                guard (0xE3...0xE9).contains(first) || first == 0xEF else { break scan }
                if checked + 1 < original.count, original[checked + 1] & 0xC0 != 0x80 { break scan }
                guard checked + 2 < original.count else { break }
                guard original[checked + 2] & 0xC0 == 0x80 else { break scan }
                let value = original.withUnsafeBufferPointer { scalar(in: UnsafeBufferPointer(rebasing: $0[checked...]), at: 0).value }
                guard value >= 0x3000, value < 0xA000 || value >= 0xFF00, GBK.isCommon(GBK.codes[Int(value)]) || value == 0xFFFD else {
                    rare += 1
                    checked += 3
                    continue
                }
                kept += 1
                checked += 3
            }
            if checked == original.count {
                // Three in four must be common where at most one in three was.
                if kept >= 2, kept >= 3 * rare, 3 * common < characters { end = index }
            }
        }
        guard end > start else { return nil }
        var exact: [UInt8] = []
        var place = start
        while place < end {
            let (value, length) = scalar(in: bytes, at: place)
            exact.append(UInt8(GBK.codes[Int(value)] >> 8))
            exact.append(UInt8(GBK.codes[Int(value)] & 0xFF))
            place += length
        }
        return (exact, end)
    }
}

/// The two-byte codes of GBK with its private areas, as GB 18030 has them.
enum GBK {
    /// For each scalar of the basic plane its code, 0 where it has none of two bytes.
    nonisolated(unsafe) static let codes: UnsafePointer<UInt16> = {
        let codes = UnsafeMutablePointer<UInt16>.allocate(capacity: 0x10000)
        codes.initialize(repeating: 0, count: 0x10000)
        let encoding = String.Encoding(rawValue: 0x8000_0632)  // kCFStringEncodingGB_18030_2000 as Foundation numbers it
        for lead in UInt16(0x81)...0xFE {
            for trail in UInt16(0x40)...0xFE where trail != 0x7F {
                let decoded = String(data: Data([UInt8(lead), UInt8(trail)]), encoding: encoding)
                if let decoded, decoded.unicodeScalars.count == 1, let value = decoded.unicodeScalars.first?.value, value < 0x10000 {
                    codes[Int(value)] = lead << 8 | trail
                }
            }
        }
        return UnsafePointer(codes)
    }()

    /// The first level of GB 2312 (rows 16 to 55: 3,755 characters that make 99.7 % of running text) and the signs of rows 1 and 3.
    @inline(__always)
    static func isCommon(_ code: UInt16) -> Bool {
        let (lead, trail) = (code >> 8, code & 0xFF)
        return trail >= 0xA1 && (lead >= 0xB0 && lead <= 0xD7 || lead == 0xA1 || lead == 0xA3)
    }

    @inline(__always)
    static func isLead(_ code: UInt16) -> Bool {
        let (lead, trail) = (code >> 8, code & 0xFF)
        return (lead >= 0xE3 && lead <= 0xE9 || lead == 0xEF) && trail >= 0x80 && trail < 0xC0
    }
}
