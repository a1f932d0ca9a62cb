/// Numbers: of telephones, identity cards, bank cards, and addresses on the network.
extension PrivateScanner {
    /// Groups of digits with one space or hyphen between, from a position on.
    private struct Groups {
        static let capacity = 8
        var starts = SIMD8<Int>()
        var ends = SIMD8<Int>()
        var count = 0

        func length(_ index: Int) -> Int { index < count ? ends[index] - starts[index] : 0 }
    }

    private func groups(_ start: Int) -> Groups {
        var groups = Groups()
        var position = start
        var separator: UInt8 = 0
        while groups.count < Groups.capacity, isDigit(position) {
            groups.starts[groups.count] = position
            position = digitsEnd(position)
            groups.ends[groups.count] = position
            groups.count += 1
            // One number is not written with two separators.
            guard byte(position) == UInt8(ascii: " ") || byte(position) == UInt8(ascii: "-"), separator == 0 || separator == byte(position) else {
                break
            }
            separator = byte(position)
            position += 1
        }
        return groups
    }

    /// Whether a number may begin here: not within a word, a longer number, a price or a path.
    private func mayBegin(_ start: Int) -> Bool {
        if start == 0 || start == end { return true }
        switch byte(start - 1) {
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ","): return !isDigit(start - 2) || start - 1 == end
        case UInt8(ascii: "/"): return !isLetter(start - 2) && byte(start - 2) != UInt8(ascii: "/")
        case UInt8(ascii: "="), UInt8(ascii: "&"), UInt8(ascii: "#"), UInt8(ascii: "%"), UInt8(ascii: "$"), UInt8(ascii: "@"): return false
        case UInt8(ascii: "_"), 0x30...0x39: return false
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            return ["tel", "phone", "mobile", "mob", "fax"].contains { endsWord($0, start) }
        default: return !stands("￥", start - 3) && !stands("¥", start - 2)
        }
    }

    /// Whether this word, in lower case or not, ends here and nothing is before it.
    private func endsWord(_ word: StaticString, _ position: Int) -> Bool {
        let start = position - word.utf8CodeUnitCount
        guard start >= 0, !isWord(start - 1) else { return false }
        return (0..<word.utf8CodeUnitCount).allSatisfy { byte(start + $0) | 0x20 == word.utf8Start[$0] }
    }

    /// Whether a number may end here: no digits, letters or decimals go on, and it does not count anything.
    private func mayEnd(_ position: Int) -> Bool {
        if isWord(position) || byte(position) == UInt8(ascii: "@") || byte(position) == UInt8(ascii: "%") { return false }
        if [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ",")].contains(byte(position)), isDigit(position + 1) { return false }
        return !units.contains { stands($0, position) }
    }

    private var units: [StaticString] { ["元", "圆", "美元", "万", "亿", "个", "人次", "次", "字节", "吨", "年", "℃"] }

    /// What begins with the digits here.
    mutating func number(_ start: Int) -> Int {
        let first = digitsEnd(start)
        let length = first - start
        if length <= 3 {
            if byte(first) == UInt8(ascii: "."), kinds.contains(.ip), let end = ipv4(start) { return found(.ip, start..<end) }
            guard length >= 2, !isWord(first) else { return first }
        }
        guard length > 1 else { return first }
        if length == 17, byte(first) | 0x20 == UInt8(ascii: "x"), kinds.contains(.identityCard), mayBegin(start), mayEnd(first + 1),
            isIdentityCard(digits(start..<first), check: byte(first))
        {
            return found(.identityCard, start..<first + 1)
        }
        if isWord(first) { return first }
        if let end = countryCode(start, first) { return end }
        if length >= 15, mayBegin(start), mayEnd(first) {
            let digits = digits(start..<first)
            if kinds.contains(.identityCard) {
                if length == 18, isIdentityCard(Array(digits.prefix(17)), check: digits[17] + 0x30) { return found(.identityCard, start..<first) }
                if length == 15, isOldIdentityCard(digits), stands(oneOf: ["身份证"], before: start, reach: 40) {
                    return found(.identityCard, start..<first)
                }
            }
            if kinds.contains(.bankCard), isBankCard(digits) { return found(.bankCard, start..<first) }
            return first
        }
        if length == 11, bytes[start] == UInt8(ascii: "1") { return mobile(start, from: start) ?? first }
        if bytes[start] == UInt8(ascii: "0") { return landline(start) ?? first }
        if byte(first) == UInt8(ascii: " ") || byte(first) == UInt8(ascii: "-"), isDigit(first + 1) { return grouped(start) ?? first }
        return first
    }

    /// Numbers that are written in groups.
    private mutating func grouped(_ start: Int) -> Int? {
        let groups = groups(start)
        let lengths = (0..<groups.count).map { groups.length($0) }
        // The same separator before the first group makes it a part of something longer.
        let separator = byte(groups.ends[0])
        guard mayBegin(start), byte(start - 1) != separator || !isDigit(start - 2) || start - 1 == end else { return nil }
        if lengths.prefix(2) == [3, 4] { return mobile(start, from: start) }
        if kinds.contains(.identityCard), lengths.count == 3, lengths.prefix(2) == [6, 8] {
            let isOpen = lengths[2] == 3 && byte(groups.ends[2]) | 0x20 == UInt8(ascii: "x")
            let end = groups.ends[2] + (isOpen ? 1 : 0)
            let digits = digits(start..<groups.ends[2])
            if digits.count >= 17, isOpen || digits.count == 18, mayEnd(end), isIdentityCard(Array(digits.prefix(17)), check: byte(end - 1)) {
                return found(.identityCard, start..<end)
            }
        }
        if kinds.contains(.bankCard), (4...5).contains(lengths.count), lengths.prefix(4).allSatisfy({ $0 == 4 }),
            lengths.count == 4 || lengths[4] <= 3
        {
            let end = groups.ends[groups.count - 1]
            if mayEnd(end), isBankCard(digits(start..<end)) { return found(.bankCard, start..<end) }
        }
        return nil
    }

    /// 86 or 0086 before a number: `+86 138…`, `(86)138…`, `0086-10-62345678`.
    private mutating func countryCode(_ start: Int, _ first: Int) -> Int? {
        let isLong = stands("0086", start)
        guard isLong || stands("86", start) else { return nil }
        var begin = start
        if byte(start - 1) == UInt8(ascii: "+") { begin -= 1 } else if stands("＋", start - 3) { begin -= 3 }
        let code = start + (isLong ? 4 : 2)
        var number = code
        let hasBracket = (byte(begin - 1) == UInt8(ascii: "(") || stands("（", begin - 3)) && (byte(code) == UInt8(ascii: ")") || stands("）", code))
        if hasBracket {
            begin -= byte(begin - 1) == UInt8(ascii: "(") ? 1 : 3
            number += byte(code) == UInt8(ascii: ")") ? 1 : 3
        }
        if byte(number) == UInt8(ascii: "-") || byte(number) == UInt8(ascii: " ") { number += 1 }
        // Without a sign, digits that go on are a longer number.
        guard begin < start || isLong || number > code && byte(code) == UInt8(ascii: "-"), begin >= end, mayBegin(begin) else { return nil }
        if byte(number) == UInt8(ascii: "1"), let end = mobile(begin, from: number) { return end }
        guard kinds.contains(.landline), byte(number) != UInt8(ascii: "0"), number > code else { return nil }
        return landlineEnd(number, area: digitsEnd(number) - number + 1).map { found(.landline, begin..<$0) }
    }

    /// A mobile number whose digits are at `number`; the finding begins at `start`.
    private mutating func mobile(_ start: Int, from number: Int) -> Int? {
        guard kinds.contains(.mobile), byte(number) == UInt8(ascii: "1"), byte(number + 1) >= UInt8(ascii: "3"), mayBegin(start) else { return nil }
        let first = digitsEnd(number)
        if first - number == 11 {
            return mayEnd(first) ? found(.mobile, start..<first) : nil
        }
        let groups = groups(number)
        guard groups.count >= 3, groups.length(0) == 3, groups.length(1) == 4, groups.length(2) == 4, mayEnd(groups.ends[2]) else { return nil }
        // A fourth group makes it something else; a date or another word may follow a space.
        guard groups.count == 3 || groups.length(3) == 11 || groups.length(3) == 3 else { return nil }
        return found(.mobile, start..<groups.ends[2])
    }

    /// A number with an area code, which begins with 0.
    private mutating func landline(_ start: Int) -> Int? {
        guard kinds.contains(.landline) else { return nil }
        let first = digitsEnd(start)
        let length = first - start
        if length >= 10 {
            // Without anything between it is a number of any kind, unless a word says so.
            let area = areaCodeLength(start)
            guard area > 0, length - area == 8 || area == 4 && length - area == 7, (2...8).contains(byte(start + area) - 0x30), mayBegin(start),
                mayEnd(first), stands(oneOf: ["电话", "座机", "传真", "热线", "Tel", "TEL", "tel", "致电", "Fax"], before: start, reach: 24)
            else { return nil }
            return found(.landline, start..<first)
        }
        var begin = start
        if byte(start - 1) == UInt8(ascii: "("), byte(first) == UInt8(ascii: ")") { begin -= 1 }
        if stands("（", start - 3), stands("）", first) { begin -= 3 }
        guard begin >= end, mayBegin(begin), byte(begin - 1) != UInt8(ascii: " ") || !isDigit(begin - 2) || begin - 1 == end else { return nil }
        return landlineEnd(start, area: length).map { found(.landline, begin..<$0) }
    }

    /// The length of the area code at a position: 010, 02x (3 digits) and 03xx…09xx (4).
    private func areaCodeLength(_ start: Int) -> Int {
        switch byte(start + 1) {
        case UInt8(ascii: "1"): byte(start + 2) == UInt8(ascii: "0") ? 3 : 0
        case UInt8(ascii: "2"): byte(start + 2) == UInt8(ascii: "6") ? 0 : 3
        case UInt8(ascii: "3")...UInt8(ascii: "9"): 4
        default: 0
        }
    }

    /// Where a landline number ends whose area code stands at a position (with its 0: `area` is the length it would have with it).
    private func landlineEnd(_ start: Int, area: Int) -> Int? {
        let code = byte(start) == UInt8(ascii: "0") ? start : start - 1
        guard areaCodeLength(code) == area, (start..<start + area - (start - code)).allSatisfy(isDigit) else { return nil }
        var position = code + area
        if byte(position) == UInt8(ascii: ")") { position += 1 } else if stands("）", position) { position += 3 }
        if byte(position) == UInt8(ascii: "-") || byte(position) == UInt8(ascii: " ") {
            position += 1
        } else if stands("—", position) || stands("－", position) {
            position += 3
        }
        guard position > code + area, isDigit(position) else { return nil }
        let groups = groups(position)
        guard (UInt8(ascii: "2")...UInt8(ascii: "8")).contains(byte(position)) else { return nil }
        var end = groups.ends[0]
        let lengths = (groups.length(0), groups.length(1))
        if lengths.1 == 4, lengths.0 == 4 || lengths.0 == 3 && area == 4 { end = groups.ends[1] }
        let digits = lengths.0 + (end == groups.ends[0] ? 0 : lengths.1)
        guard digits == 8 || digits == 7 && area == 4 else { return nil }
        // An extension.
        var tail = end
        if byte(tail) == UInt8(ascii: " ") { tail += 1 }
        for word: StaticString in ["转", "分机", "ext.", "ext", "-", "－"] where stands(word, tail) {
            tail += word.utf8CodeUnitCount
            while separatorLength(tail) > 0 { tail += separatorLength(tail) }
            let last = digitsEnd(tail)
            if (1...6).contains(last - tail), !isWord(last) { return last }
            break
        }
        return mayEnd(end) ? end : nil
    }

    // MARK: - Addresses on the network

    /// Where an IPv4 address ends; not a version, a section number or a part of a longer row of numbers.
    private func ipv4(_ start: Int) -> Int? {
        guard !isWord(start - 1), start == end || !(byte(start - 1) == UInt8(ascii: ".") || byte(start - 1) == UInt8(ascii: "-")) else { return nil }
        var position = start
        var largest = 0
        for part in 0..<4 {
            let end = digitsEnd(position)
            guard (1...3).contains(end - position), end - position == 1 || byte(position) != UInt8(ascii: "0") else { return nil }
            let value = bytes[position..<end].reduce(0) { $0 * 10 + Int($1) - 0x30 }
            guard value <= 255 else { return nil }
            largest = max(largest, value)
            position = end
            if part < 3 {
                guard byte(position) == UInt8(ascii: ".") else { return nil }
                position += 1
            }
        }
        guard !isWord(position), !(byte(position) == UInt8(ascii: ".") || byte(position) == UInt8(ascii: "-")) || !isWord(position + 1) else {
            return nil
        }
        if byte(start - 1) == UInt8(ascii: "/"), isLetter(start - 2) { return nil }
        if stands(oneOf: ["版本", "版", "version", "Version", "ver", "Ver", "固件", "更新至", "升级到"], before: start, reach: 15) { return nil }
        if stands("版", position) || stands(" 版", position) { return nil }
        // At the beginning of a line, small numbers are a heading's.
        var before = start
        while byte(before - 1) == UInt8(ascii: " ") || byte(before - 1) == UInt8(ascii: "#") { before -= 1 }
        if largest < 40, before == 0 || byte(before - 1) == 0x0A, byte(position) == UInt8(ascii: " ") || han(position) != 0 || stands("、", position) {
            return nil
        }
        return position
    }

    /// An IPv6 address with a colon here (RFC 4291, 2.2): eight groups, or fewer with `::` in one place.
    mutating func ipv6(_ colon: Int) -> Int {
        func isHex(_ position: Int) -> Bool { isDigit(position) || (byte(position) | 0x20) &- 0x61 < 6 }
        var start = colon
        while start > end, colon - start < 4, isHex(start - 1) { start -= 1 }
        guard start < colon, !isWord(start - 1), byte(start - 1) != UInt8(ascii: ":"), byte(start - 1) != UInt8(ascii: ".") else { return colon + 1 }
        var (position, groups, gaps, digits, longest) = (start, 0, 0, 0, 0)
        while groups < 8 {
            let group = position
            while isHex(position), position - group < 4 {
                if isDigit(position) { digits += 1 }
                position += 1
            }
            guard position > group, !isWord(position) else { return colon + 1 }
            groups += 1
            longest = max(longest, position - group)
            if stands("::", position) {
                gaps += 1
                position += 2
                if !isHex(position) { break }
            } else if byte(position) == UInt8(ascii: ":"), isHex(position + 1) {
                position += 1
            } else {
                break
            }
        }
        let isWhole = gaps == 0 && groups == 8 || gaps == 1 && groups < 8 && (groups >= 3 || groups == 2 && longest == 4) && digits >= 2
        guard isWhole, !isWord(position), byte(position) != UInt8(ascii: ":") else { return colon + 1 }
        return found(.ip, start..<position)
    }

    /// An e-mail address with its @ here. Han characters bound it as spaces do.
    mutating func email(_ at: Int) -> Int {
        guard kinds.contains(.email) else { return at + 1 }
        func isLocal(_ position: Int) -> Bool { isWord(position) || [0x25, 0x2B, 0x2D, 0x2E].contains(byte(position)) }  // % + - .
        var start = at
        while start > end, at - start < 65, isLocal(start - 1) { start -= 1 }
        while start < at, !isWord(start) { start += 1 }
        guard start < at, at - start <= 64, byte(at - 1) != UInt8(ascii: "."), byte(start - 1) != UInt8(ascii: "/") || byte(start - 2) == 0x2F else {
            return at + 1
        }
        var (position, label, labels) = (at + 1, at + 1, 0)
        var last = 0..<0
        while position - at < 255 {
            if isWord(position) && byte(position) != UInt8(ascii: "_") || byte(position) == UInt8(ascii: "-") && position > label {
                position += 1
            } else {
                guard position > label else { break }
                last = label..<position
                labels += 1
                guard byte(position) == UInt8(ascii: "."), isWord(position + 1) else { break }
                position += 1
                label = position
            }
        }
        guard labels >= 2, last.count >= 2, last.allSatisfy(isLetter), !isWord(position), position - at < 255 else { return at + 1 }
        let files: [StaticString] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js"]
        if files.contains(where: { last.count == $0.utf8CodeUnitCount && stands($0, last.lowerBound) }) { return at + 1 }
        if at - start == 3, stands("git", start), byte(position) == UInt8(ascii: ":") { return at + 1 }
        return found(.email, start..<position)
    }

    // MARK: - Passports

    /// E or G and eight digits; after 护照 also D, S and P, and two letters with seven digits.
    mutating func passport(_ start: Int) -> Int {
        guard !isWord(start - 1), byte(start - 1) != UInt8(ascii: "-"), byte(start - 1) != UInt8(ascii: "/") else { return start + 1 }
        let letters = isLetter(start + 1) ? 2 : 1
        let digits = start + letters
        let end = digitsEnd(digits)
        guard end - digits == 9 - letters || letters == 1 && end - digits == 7, mayEnd(end) else { return start + 1 }
        let isShape = letters == 1 && end - digits == 8 && (bytes[start] == UInt8(ascii: "E") || bytes[start] == UInt8(ascii: "G"))
        let date = self.digits(digits..<end).reduce(0) { $0 * 10 + Int($1) }
        let isDate = end - digits == 8 && isBirthday(year: date / 10000, month: date / 100 % 100, day: date % 100)
        guard isShape && !isDate || stands(oneOf: ["护照", "passport", "Passport", "PASSPORT", "通行证"], before: start, reach: 40) else {
            return start + 1
        }
        return found(.passport, start..<end)
    }
}
