/// The splitting expressions that most byte-level tokenizers use, matched by hand: several times as fast as a regular-expression engine.
struct WordMatcher: Sendable {
    enum Style: Sendable {
        /// GPT-2: a space before a run of letters, numbers or others belongs to it.
        case gpt2
        /// cl100k, Llama 3, Qwen: any one character before letters belongs to them, newlines stand alone or end a run of others.
        case cl100k
    }

    var style: Style
    /// The most numbers in one word; nil: a run, which may take a space before it.
    var digits: Int?

    /// GPT-2's expression, which the byte-level pre-tokeniser has built in.
    static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    /// GPT-2's with every digit a word of its own, so that numbers are read digit by digit: what is trained here uses it.
    static let yuyan = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    init(style: Style, digits: Int?) {
        (self.style, self.digits) = (style, digits)
    }

    /// nil for an expression that is not one of those known here.
    init?(pattern: String) {
        func cl100k(_ digits: String) -> String {
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        }
        switch pattern {
        case Self.gpt2, #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: self.init(style: .gpt2, digits: nil)
        case Self.yuyan: self.init(style: .gpt2, digits: 1)
        case cl100k(#"\p{N}{1,3}"#): self.init(style: .cl100k, digits: 3)
        case cl100k(#"\p{N}"#): self.init(style: .cl100k, digits: 1)
        default: return nil
        }
    }

    /// The end of the word that starts at `start`; words follow each other without gaps. `text` is valid UTF-8 and `start < count`.
    @inline(__always)
    func end(_ text: UnsafePointer<UInt8>, _ count: Int, from start: Int, classes: UnsafePointer<UInt8>) -> Int {
        let (letter, number, space) = (ScalarClasses.letter.rawValue, ScalarClasses.number.rawValue, ScalarClasses.space.rawValue)
        let other = letter | number | space

        @inline(__always) func at(_ index: Int) -> (bits: UInt8, length: Int) {
            let (value, length) = scalar(text, index)
            return (classes[Int(value)], length)
        }
        @inline(__always) func run(_ from: Int, _ bits: UInt8, _ wanted: UInt8) -> Int {
            var index = from
            while index < count {
                let next = at(index)
                if next.bits & bits != wanted { break }
                index += next.length
            }
            return index
        }

        let first = text[start]
        if first == UInt8(ascii: "'"), let end = contraction(text, count, start) { return end }
        let (bits, length) = at(start)
        if bits & letter != 0 { return run(start + length, letter, letter) }
        if bits & number != 0 {
            guard let digits else { return run(start + length, number, number) }
            var index = start + length
            for _ in 1..<digits where index < count {
                let next = at(index)
                if next.bits & number == 0 { break }
                index += next.length
            }
            return index
        }
        let next = start + length
        let following = next < count ? at(next) : (bits: space, length: 0)
        switch style {
        case .gpt2:
            if first == 0x20, following.bits & space == 0 {
                if following.bits & letter != 0 { return run(next + following.length, letter, letter) }
                if following.bits & number == 0 { return run(next + following.length, other, 0) }
                if digits == nil { return run(next + following.length, number, number) }
            }
            if bits & space == 0 { return run(next, other, 0) }
        case .cl100k:
            let newline = ScalarClasses.newline.rawValue
            if bits & newline == 0, following.bits & letter != 0 { return run(next + following.length, letter, letter) }
            if bits & space == 0 || (first == 0x20 && next < count && following.bits & other == 0) {
                return run(run(next, other, 0), newline, newline)
            }
        }
        return spaceEnd(text, count, start, classes)
    }

    /// `\s*[\r\n]+` (only in cl100k), `\s+(?!\S)` and `\s+` at a space.
    private func spaceEnd(_ text: UnsafePointer<UInt8>, _ count: Int, _ start: Int, _ classes: UnsafePointer<UInt8>) -> Int {
        var index = start
        var last = start
        var afterNewline: Int?
        while index < count {
            let (value, length) = scalar(text, index)
            let bits = classes[Int(value)]
            if bits & ScalarClasses.space.rawValue == 0 { break }
            last = index
            index += length
            if bits & ScalarClasses.newline.rawValue != 0 { afterNewline = index }
        }
        if style == .cl100k, let afterNewline { return afterNewline }
        return index == count || last == start ? index : last
    }

    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at `start`; cl100k takes capitals too, and `ſ`, which folds to `s`.
    private func contraction(_ text: UnsafePointer<UInt8>, _ count: Int, _ start: Int) -> Int? {
        func at(_ index: Int) -> UInt8 {
            guard index < count else { return 0 }
            let byte = text[index]
            return style == .cl100k && UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
        }
        switch (at(start + 1), at(start + 2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _): return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")), (UInt8(ascii: "l"), UInt8(ascii: "l")): return start + 3
        case (0xC5, 0xBF) where style == .cl100k: return start + 3
        default: return nil
        }
    }
}
