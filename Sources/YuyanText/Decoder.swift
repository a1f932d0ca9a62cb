/// Ids to bytes: every token's bytes, made once, and how they are joined.
struct Decoder: Sendable {
    enum Joining: Sendable {
        /// Bytes follow each other.
        case none
        /// A space between tokens.
        case spaces
        /// WordPiece: a space before a token that begins a word, unless ideographs or their punctuation stand at the seam.
        case words
    }

    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        static let special = Flags(rawValue: 1)
        /// Goes on with the word, or is punctuation that touches the word before it.
        static let touchesPrevious = Flags(rawValue: 2)
        static let startsIdeographic = Flags(rawValue: 4)
        static let endsIdeographic = Flags(rawValue: 8)
        /// Its spaces are its own: none is stripped at the start of the text.
        static let verbatim = Flags(rawValue: 16)
    }

    let joining: Joining
    /// Spaces that are dropped at the start of a text.
    let leadingSpaces: Int
    /// Whether every byte of an invalid sequence becomes a U+FFFD of its own, as SentencePiece has it, or each maximal part of a scalar.
    let replacesSingleBytes: Bool
    private let bytes: [UInt8]
    private let ends: [Int]
    private let flags: [Flags]

    init(
        count: Int, joining: Joining = .none, leadingSpaces: Int = 0, replacesSingleBytes: Bool = false,
        token: (Int32) -> (bytes: [UInt8], flags: Flags)
    ) {
        self.joining = joining
        self.leadingSpaces = leadingSpaces
        self.replacesSingleBytes = replacesSingleBytes
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var flags: [Flags] = []
        ends.reserveCapacity(count)
        flags.reserveCapacity(count)
        for id in 0..<Int32(count) {
            var (surface, flag) = token(id)
            if joining == .words {
                let scalars = String(decoding: surface, as: UTF8.self).unicodeScalars
                if let first = scalars.first, isIdeographic(first) { flag.insert(.startsIdeographic) }
                if let last = scalars.last, isIdeographic(last) { flag.insert(.endsIdeographic) }
            }
            bytes.append(contentsOf: surface)
            surface.removeAll()
            ends.append(bytes.count)
            flags.append(flag)
        }
        (self.bytes, self.ends, self.flags) = (bytes, ends, flags)
    }

    /// What has to be remembered from one token to the next.
    struct State: Sendable, Hashable {
        fileprivate var isStart = true
        fileprivate var stripped = 0
        fileprivate var endsIdeographic = true

        init() {}
    }

    /// The state with what has no bearing on later tokens left out: states that do the same are equal.
    func canonical(_ state: State) -> State {
        if joining == .none, leadingSpaces == 0 { return State() }
        var state = state
        if !state.isStart || leadingSpaces == .max { state.stripped = 0 }
        if state.isStart || joining != .words { state.endsIdeographic = true }
        return state
    }

    /// Appends the bytes that a token adds to the text; an id without a token adds none.
    func append(_ id: Int32, skippingSpecial: Bool, _ state: inout State, to output: inout [UInt8]) {
        guard id >= 0, Int(id) < ends.count else { return }
        let flag = flags[Int(id)]
        if skippingSpecial, flag.contains(.special) { return }
        var start = id == 0 ? 0 : ends[Int(id) - 1]
        let end = ends[Int(id)]
        if start == end { return }
        switch joining {
        case .none: break
        case .spaces: if !state.isStart { output.append(0x20) }
        case .words:
            if !state.isStart, !flag.contains(.touchesPrevious), !flag.contains(.startsIdeographic), !state.endsIdeographic { output.append(0x20) }
            state.endsIdeographic = flag.contains(.endsIdeographic)
        }
        if state.isStart, !flag.contains(.verbatim) {
            while start < end, bytes[start] == 0x20, state.stripped < leadingSpaces {
                start += 1
                state.stripped += 1
            }
        }
        if start < end { state.isStart = false }
        output.append(contentsOf: bytes[start..<end])
    }

    /// The text of bytes, invalid ones replaced.
    func text(of bytes: some Collection<UInt8>) -> String {
        guard replacesSingleBytes, let invalid = bytes.withContiguousStorageIfAvailable({ firstInvalidByte($0) }) ?? nil else {
            return String(decoding: bytes, as: UTF8.self)
        }
        var text = String(decoding: bytes.prefix(invalid), as: UTF8.self)
        var rest = Array(bytes.dropFirst(invalid))[...]
        while !rest.isEmpty {
            text.unicodeScalars.append("\u{FFFD}")
            rest.removeFirst()
            let next = rest.withUnsafeBufferPointer { firstInvalidByte($0) } ?? rest.count
            text += String(decoding: rest.prefix(next), as: UTF8.self)
            rest.removeFirst(next)
        }
        return text
    }
}

extension Decoder {
    /// WordPiece's bytes for a token: the prefix gone, and whether it touches the word before it.
    static func wordPiece(_ token: some Collection<UInt8>, prefix: [UInt8], cleansUp: Bool) -> (bytes: [UInt8], flags: Flags) {
        if !prefix.isEmpty, token.count > prefix.count, token.starts(with: prefix) { return (Array(token.dropFirst(prefix.count)), .touchesPrevious) }
        let touching = [".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"]
        return (Array(token), cleansUp && touching.contains { token.elementsEqual($0.utf8) } ? .touchesPrevious : [])
    }
}

/// Ideographs, kana and the punctuation set with them: no space stands beside these.
private func isIdeographic(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x2018...0x201D, 0x2026, 0x2014, 0x00B7, 0x2E80...0x2FDF, 0x3001...0x30FF, 0x3100...0x312F, 0x31A0...0x9FFF, 0xF900...0xFAFF,
        0xFE10...0xFE1F, 0xFE30...0xFE4F, 0xFF00...0xFFEF, 0x20000...0x323AF:
        true
    default: false
    }
}

/// The bytes at the end that begin a scalar and may yet be completed.
func incompleteSuffix(of bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
        let lead = bytes[bytes.count - length]
        if lead & 0xC0 == 0x80 { continue }
        let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
        guard needed > length, lead <= 0xF4 else { return 0 }
        // What follows is still well-formed if some completion makes it valid.
        let second = length > 1 ? bytes[bytes.count - length + 1] : nil
        let range: ClosedRange<UInt8> =
            switch lead {
            case 0xE0: 0xA0...0xBF
            case 0xED: 0x80...0x9F
            case 0xF0: 0x90...0xBF
            case 0xF4: 0x80...0x8F
            default: 0x80...0xBF
            }
        return second.map { range.contains($0) } ?? true ? length : 0
    }
    return 0
}
