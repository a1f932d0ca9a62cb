/// What the scanner knows of Han characters and the words that begin with them, laid out for looking up by scalar.
final class PrivacyWords: Sendable {
    static let shared = PrivacyWords()

    // What a character can be.
    static let word: UInt16 = 1
    static let plate: UInt16 = 2
    /// A character at which the scanner must look further.
    static let triggers = word | plate
    static let surname: UInt16 = 4
    static let commonWordSurname: UInt16 = 8
    static let given: UInt16 = 16
    static let follower: UInt16 = 32
    static let placeEnding: UInt16 = 64
    static let stop: UInt16 = 128
    static let road: UInt16 = 256
    static let numeral: UInt16 = 512

    /// What a word announces.
    enum Action: UInt8, Sendable {
        case role, label, verdict, title, wechat, qq, place, addressContext
    }

    private static let base: UInt32 = 0x4E00
    private static let count = 0x5200

    private let flags: [UInt16]
    /// By scalar − base, and one more: where its words begin in `words`, which are sorted by their first character.
    private let starts: [UInt16]
    private let words: [Word]
    /// The words' bytes, one after the other.
    private let letters: [UInt8]

    private struct Word {
        var offset: Int32
        var length: UInt8
        var action: Action
    }

    /// Pairs of characters: words that are no names, ends of organisations, surnames.
    private let pairs: (words: Set<UInt64>, organisations: Set<UInt64>, compounds: Set<UInt64>)

    private init() {
        var flags = [UInt16](repeating: 0, count: Self.count)
        func mark(_ text: String, _ flag: UInt16) {
            for scalar in text.unicodeScalars where scalar.value >= Self.base && scalar.value < Self.base + UInt32(Self.count) {
                flags[Int(scalar.value - Self.base)] |= flag
            }
        }
        func list(_ text: String) -> [String] { text.split { $0 == " " || $0 == "\n" }.map(String.init) }
        func pairs(_ words: [String]) -> Set<UInt64> {
            Set(
                words.map { Array($0.unicodeScalars) }.filter { $0.count == 2 }.map { Self.pair($0[0].value, $0[1].value) })
        }
        let places = list(Gazetteer.provinces) + list(Gazetteer.cities)
        let actions: [(String, Action)] = [
            (NameData.roles, .role), (NameData.labels, .label), ("认定", .verdict), (NameData.titles, .title), ("微信 薇信 加微", .wechat), ("扣扣 企鹅", .qq),
            (places.joined(separator: " "), .place), (Gazetteer.contexts, .addressContext),
        ]
        let all = actions.flatMap { text, action in list(text).map { (Array($0.utf8), action) } }.sorted { one, other in
            // By first character; the longest first; the rest in some fixed order.
            let (a, b) = (one.0, other.0)
            if a.prefix(3) != b.prefix(3) { return a.prefix(3).lexicographicallyPrecedes(b.prefix(3)) }
            return a.count != b.count ? a.count > b.count : a != b ? a.lexicographicallyPrecedes(b) : one.1.rawValue < other.1.rawValue
        }
        var starts = [UInt16](repeating: 0, count: Self.count + 1)
        for (bytes, _) in all {
            let scalar = String(decoding: bytes.prefix(3), as: UTF8.self).unicodeScalars.first?.value ?? Self.base
            starts[Int(scalar - Self.base) + 1] += 1
            flags[Int(scalar - Self.base)] |= Self.word
        }
        for index in 1...Self.count { starts[index] += starts[index - 1] }
        var offset = 0
        words = all.map { bytes, action in
            defer { offset += bytes.count }
            return Word(offset: Int32(offset), length: UInt8(bytes.count), action: action)
        }
        letters = all.flatMap(\.0)
        self.starts = starts
        mark("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼", Self.plate)
        mark(NameData.surnames + "张高何任" + NameData.commonWordSurnames, Self.surname)
        mark(NameData.surnames + "袁夏蔡方", Self.surname)
        mark(NameData.commonWordSurnames, Self.commonWordSurname)
        mark(NameData.given, Self.given)
        mark(NameData.followers, Self.follower)
        mark(NameData.placeEndings, Self.placeEnding)
        mark(Gazetteer.stops, Self.stop)
        mark(Gazetteer.roads, Self.road)
        mark("一二三四五六七八九十百零两", Self.numeral)
        self.flags = flags
        self.pairs = (
            pairs(list(NameData.words) + places), pairs(list(NameData.organisations)), pairs(list(NameData.compoundSurnames))
        )
    }

    private static func pair(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    /// What a Han character can be; nothing of other scalars.
    @inline(__always)
    func flags(of scalar: UInt32) -> UInt16 {
        let index = scalar &- Self.base
        return index < UInt32(Self.count) ? flags[Int(index)] : 0
    }

    func isWord(_ first: UInt32, _ second: UInt32) -> Bool { pairs.words.contains(Self.pair(first, second)) }
    func isOrganisation(_ first: UInt32, _ second: UInt32) -> Bool { pairs.organisations.contains(Self.pair(first, second)) }
    func isCompoundSurname(_ first: UInt32, _ second: UInt32) -> Bool { pairs.compounds.contains(Self.pair(first, second)) }

    /// Calls `body` with the length and the action of the words that stand at a position, which begins with the Han character `scalar`, the
    /// longest first, until it gives a result.
    @inline(__always)
    func words(_ scalar: UInt32, in bytes: UnsafeBufferPointer<UInt8>, at position: Int, _ body: (Int, Action) -> Int?) -> Int? {
        guard scalar >= Self.base, scalar < Self.base + UInt32(Self.count) else { return nil }
        let index = Int(scalar - Self.base)
        next: for index in Int(starts[index])..<Int(starts[index + 1]) {
            let word = words[index]
            let length = Int(word.length)
            guard position + length <= bytes.count else { continue }
            for offset in 3..<max(length, 3) where letters[Int(word.offset) + offset] != bytes[position + offset] { continue next }
            if let result = body(length, word.action) { return result }
        }
        return nil
    }
}
