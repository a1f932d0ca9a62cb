/// Number plates, and the names of accounts after the words that announce them.
extension PrivateScanner {
    /// What begins with a Han character that can begin something: gives where to go on.
    mutating func hanTrigger(_ start: Int, _ flags: UInt16) -> Int {
        if flags & PrivacyWords.plate != 0, kinds.contains(.plate), let end = plateEnd(start) { return found(.plate, start..<end) }
        guard flags & PrivacyWords.word != 0 else { return start + 3 }
        let after = words.words(han(start), in: bytes, at: start) { length, action in
            switch action {
            case .role, .label: kinds.contains(.name) ? names(after: start + length, needsSeparator: action == .label) : nil
            case .verdict: kinds.contains(.name) ? name(found: start + length) : nil
            case .title: kinds.contains(.name) ? name(beforeTitle: start, length: length) : nil
            case .wechat: kinds.contains(.wechat) ? wechat(start + length, isPlain: true) : nil
            case .qq: kinds.contains(.qq) ? qq(start + length) : nil
            case .place: kinds.contains(.address) ? address(anchor: start, length: length) : nil
            case .addressContext: kinds.contains(.address) ? address(after: start + length) : nil
            }
        }
        return after ?? start + 3
    }

    /// ASCII words: VX, wx, WeChat, weixin, V信, QQ, Q群.
    mutating func keyword(_ start: Int) -> Int {
        guard !isWord(start - 1) else { return start + 1 }
        func ends(_ word: StaticString) -> Int? {
            for index in 0..<word.utf8CodeUnitCount where byte(start + index) | 0x20 != word.utf8Start[index] { return nil }
            return start + word.utf8CodeUnitCount
        }
        if byte(start) | 0x20 == UInt8(ascii: "q") {
            guard kinds.contains(.qq) else { return start + 1 }
            if let end = ends("qq") { return qq(end) ?? start + 1 }
            return stands("群", start + 1) || stands("号", start + 1) ? qq(start + 1) ?? start + 1 : start + 1
        }
        guard kinds.contains(.wechat) else { return start + 1 }
        for word: StaticString in ["wechat", "weixin", "vx", "wx"] {
            if let end = ends(word) { return wechat(end, isPlain: false) ?? start + 1 }
        }
        if byte(start) | 0x20 == UInt8(ascii: "v"), stands("信", start + 1) { return wechat(start + 4, isPlain: true) ?? start + 1 }
        if byte(start) | 0x20 == UInt8(ascii: "v"), stands("加", start - 3), !isWord(start + 1) {
            return wechat(start + 1, isPlain: false) ?? start + 1
        }
        return start + 1
    }

    /// A WeChat name after the word for it: a letter and 5 to 19 letters, digits, hyphens and underscores; or a QQ number in its place.
    /// A word of ASCII letters must have a sign after it, since it is also a prefix in programs.
    private mutating func wechat(_ after: Int, isPlain: Bool) -> Int? {
        var position = after
        var isNamed = false
        for word: StaticString in ["号码", "号", "账号", "帐号", "ID", "id", "同号"] where stands(word, position) {
            position += word.utf8CodeUnitCount
            isNamed = true
            break
        }
        var hasSign = false
        let signs = position
        while position - signs < 12 {
            if stands("是", position) || stands("为", position) || stands("：", position) {
                (position, hasSign) = (position + 3, true)
            } else if byte(position) == UInt8(ascii: ":") {
                (position, hasSign) = (position + 1, true)
            } else if stands("（", position) {
                position += 3
            } else if byte(position) == UInt8(ascii: "(") {
                position += 1
            } else if separatorLength(position) > 0 {
                position += separatorLength(position)
            } else {
                break
            }
        }
        let start = position
        var (digits, marks) = (0, 0)
        while isWord(position) || byte(position) == UInt8(ascii: "-") && isWord(position + 1) {
            if isDigit(position) { digits += 1 } else if !isLetter(position) { marks += 1 }
            position += 1
        }
        let length = position - start
        guard (5...20).contains(length), byte(position) != UInt8(ascii: "@"), byte(position) != UInt8(ascii: "=") else { return nil }
        guard byte(position) != UInt8(ascii: ".") || !isWord(position + 1) else { return nil }
        if isDigit(start) {
            // Numbers: a mobile number is found as one. A QQ number has a name or a sign before it.
            guard digits == length, (5...10).contains(length), byte(start) != UInt8(ascii: "0"), hasSign, isNamed || isPlain else { return nil }
            return found(.wechat, start..<position)
        }
        guard length >= 6, isLetter(start) else { return nil }
        let isAccount = digits + marks > 0
        guard isAccount ? hasSign || isPlain && (isNamed || marks > 0 && digits > 0) : hasSign && isNamed else { return nil }
        return found(.wechat, start..<position)
    }

    /// A QQ number after the word for it: 5 to 11 digits, the first not 0.
    private mutating func qq(_ after: Int) -> Int? {
        var position = after
        for word: StaticString in ["交流群", "群号", "群", "号码", "号", "账号", "帐号", "邮箱"] where stands(word, position) {
            position += word.utf8CodeUnitCount
            break
        }
        let signs = position
        while position - signs < 12 {
            if stands("是", position) || stands("为", position) || stands("（", position) || stands("号", position) {
                position += 3
            } else if byte(position) == UInt8(ascii: "(") || byte(position) == UInt8(ascii: "#") {
                position += 1
            } else if separatorLength(position) > 0 {
                position += separatorLength(position)
            } else {
                break
            }
        }
        let last = digitsEnd(position)
        guard (5...11).contains(last - position), byte(position) != UInt8(ascii: "0"), !isWord(last) else { return nil }
        guard byte(last) != UInt8(ascii: "@"), byte(last) != UInt8(ascii: "."), byte(last) != UInt8(ascii: "-") || !isDigit(last + 1) else {
            return nil
        }
        let units: [StaticString] = ["人", "个", "元", "万", "版", "年", "名"]
        guard !units.contains(where: { stands($0, last) }) else { return nil }
        // Eleven digits are a mobile number where they look like one.
        if last - position == 11, byte(position) == UInt8(ascii: "1"), byte(position + 1) >= UInt8(ascii: "3") { return nil }
        return found(.qq, position..<last)
    }

    /// Where the number plate ends whose province is here (GA 36-2018): a letter, then five letters and digits, of which the last may be one
    /// of 挂学警港澳, or six of a new-energy vehicle; without I and O.
    private func plateEnd(_ start: Int) -> Int? {
        func isPlateLetter(_ position: Int) -> Bool {
            let byte = byte(position)
            return (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte != UInt8(ascii: "I") && byte != UInt8(ascii: "O")
        }
        guard isPlateLetter(start + 3) || byte(start + 3) == UInt8(ascii: "O") else { return nil }
        var position = start + 4
        for dot: StaticString in ["·", "•", "・", "-", " ", "."] where stands(dot, position) {
            position += dot.utf8CodeUnitCount
            break
        }
        let serial = position
        var digits = 0
        while position - serial < 7, isDigit(position) || isPlateLetter(position) {
            if isDigit(position) { digits += 1 }
            position += 1
        }
        guard !isWord(position) else { return nil }
        switch position - serial {
        case 4:
            let endings: [StaticString] = ["挂", "学", "警", "港", "澳"]
            return digits >= 2 && endings.contains { stands($0, position) } ? position + 3 : nil
        case 5: return digits >= 2 ? position : nil
        // New energy: five digits at least, but that the first of a small car's may be followed by a letter more.
        case 6:
            let isSmall = isLetter(serial) && (serial + 2..<position).allSatisfy(isDigit)
            let isLarge = isLetter(position - 1) && (serial..<position - 1).allSatisfy(isDigit)
            return isSmall || isLarge ? position : nil
        default: return nil
        }
    }
}
