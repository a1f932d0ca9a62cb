/// Stand-ins of the right shape. What stands for something hangs on the seed and on the original alone (without its spaces and hyphens), so
/// that the same person stays the same person through a whole corpus, whatever the order of work, and no table is kept. Where ranges exist
/// that nobody can have, numbers are from them: mobile numbers of 154 (given to no carrier), landline numbers that begin with 1, identity
/// cards of divisions that end in 0000, addresses on the network that are set aside for documentation (RFC 2606, 5737 and 3849).
struct PrivateFakes: Sendable {
    private let key: UInt64

    init(seed: Int) {
        key = mix(UInt64(bitPattern: Int64(seed)) &+ 0x5072_6976_6163_7921)
    }

    /// The stand-in for an original, as UTF-8.
    func fake(_ kind: PrivateKind, of original: [UInt8]) -> [UInt8] {
        let isNumber = [.mobile, .landline, .identityCard, .bankCard].contains(kind)
        let digits = original.filter { $0 &- 0x30 < 10 }.map { $0 - 0x30 }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        // Numbers are the same number however they are written; a country code does not make another.
        let essence = isNumber ? Array(digits.suffix(kind == .mobile ? 11 : digits.count)) : original.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
        for byte in essence { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        var random = SeededRandom(seed: key ^ hash, stableHash(kind.rawValue))
        switch kind {
        case .mobile: return write([1, 5, 4] + some(8, &random), over: original, last: 11)
        case .landline: return landline(original, &random)
        case .identityCard: return identityCard(original, count: digits.count, &random)
        case .bankCard:
            var digits = [6, 2] + some(digits.count - 3, &random) + [0]
            while !isLuhnValid(digits) { digits[digits.count - 1] += 1 }
            return write(digits, over: original, last: digits.count)
        case .plate: return plate(original, &random)
        case .email:
            let name = (0..<8).map { _ in UInt8(random.number(in: 0x61...0x7A)) }
            return name + Array(["@example.com", "@example.net", "@example.org"][random.number(in: 0...2)].utf8)
        case .ip:
            if original.contains(UInt8(ascii: ":")) {
                return Array(("2001:db8:" + (0..<6).map { _ in String(random.number(in: 0x1000...0xFFFF), radix: 16) }.joined(separator: ":")).utf8)
            }
            return Array("\(["192.0.2", "198.51.100", "203.0.113"][random.number(in: 0...2)]).\(random.number(in: 1...254))".utf8)
        case .passport, .qq:
            let letters = original.prefix { $0 &- 0x30 >= 10 }
            let count = original.count - letters.count
            return Array(letters) + [UInt8(random.number(in: 0x31...0x39))] + some(count - 1, &random).map { $0 + 0x30 }
        case .wechat: return Array("wxid_".utf8) + (0..<8).map { _ in Array("abcdefghjkmnpqrstuvwxyz23456789".utf8)[random.number(in: 0...30)] }
        case .address: return Array("\(random.element(of: Gazetteer.fakeRoads))\(random.number(in: 1...999))号".utf8)
        case .name: return name(original, &random)
        }
    }

    private func some(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<max(count, 0)).map { _ in UInt8(random.number(in: 0...9)) }
    }

    /// Writes digits in the place of the last digits of a number, which keeps its spaces, hyphens and country code.
    private func write(_ digits: [UInt8], over original: [UInt8], last count: Int) -> [UInt8] {
        var output = original
        var left = digits[...]
        for index in output.indices.reversed() where output[index] &- 0x30 < 10 {
            guard let digit = left.popLast() else { break }
            output[index] = digit + 0x30
        }
        return output
    }

    /// Keeps the area code; the number behind it begins with 1, as none does that can be called.
    private func landline(_ original: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var output = original
        var digits = original.indices.filter { original[$0] &- 0x30 < 10 }
        // The area code is the first group of digits, or what stands there in its place.
        var area = 0
        if original.starts(with: "0086".utf8) || original.starts(with: "86".utf8) || original.starts(with: "+86".utf8)
            || original.starts(with: "(".utf8)
            || original.starts(with: "（".utf8)
        {
            let skipped = original.starts(with: "0086".utf8) ? 4 : original.starts(with: "(".utf8) || original.starts(with: "（".utf8) ? 0 : 2
            digits.removeFirst(min(skipped, digits.count))
        }
        while area + 1 < digits.count, digits[area + 1] == digits[area] + 1, area < 3 { area += 1 }
        area += 1
        if area == 4, original[digits[0]] == 0x30, original[digits[1]] < 0x33 { area = 3 }
        for (number, index) in digits.dropFirst(area).enumerated() { output[index] = number == 0 ? 0x31 : UInt8(random.number(in: 0x30...0x39)) }
        return output
    }

    private func identityCard(_ original: [UInt8], count: Int, _ random: inout SeededRandom) -> [UInt8] {
        let province = random.element(of: provinceCodes)
        let (year, month, day) = (random.number(in: 1950...1999), random.number(in: 1...12), random.number(in: 1...28))
        let date = [year / 1000, year / 100 % 10, year / 10 % 10, year % 10, month / 10, month % 10, day / 10, day % 10].map { UInt8($0) }
        let division = [province / 10, province % 10, 0, 0, 0, 0]
        if count == 15 { return (division + date[2...] + some(3, &random)).map { $0 + 0x30 } }
        let digits = division + date + some(3, &random)
        let written = digits.map { $0 + 0x30 } + [identityCheck(digits)]
        // Digits and a final X go where digits and a final X were.
        var left = written[...]
        return original.map { $0 &- 0x30 < 10 || $0 | 0x20 == UInt8(ascii: "x") ? left.popFirst() ?? $0 : $0 }
    }

    /// Another province, letter and serial; letters stay letters and digits digits, so that the kind of vehicle stays.
    private func plate(_ original: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        let provinces = Array("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼").map { Array(String($0).utf8) }
        let letters = Array("ABCDEFGHJKLMNPQRSTUVWXYZ".utf8)
        return random.element(of: provinces)
            + original.dropFirst(3).map { byte in
                byte &- 0x30 < 10 ? UInt8(random.number(in: 0x30...0x39)) : byte &- 0x41 < 26 ? random.element(of: letters) : byte
            }
    }

    /// As many characters as the original: a surname of two where it has four.
    private func name(_ original: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        let count = String(decoding: original, as: UTF8.self).unicodeScalars.count
        let surname = random.element(of: count == 4 ? NameData.fakeCompounds : NameData.fakeSurnames)
        let given = (0..<(count == 2 ? 1 : 2)).map { _ in random.element(of: NameData.fakeGiven) }.joined()
        return Array((surname + given).utf8)
    }
}
