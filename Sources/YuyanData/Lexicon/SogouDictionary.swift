public import Foundation

/// A cell dictionary of Sogou's input method (`.scel`; QQ's `.qcel` is the same): words with their syllables.
///
/// The format is not published; these facts agree between the open readers of it. Numbers are little-endian, texts UTF-16LE.
///
///     0x0000  offset of the syllable table (0x1540), then "DCS" or "ECS" and 01
///     0x0120  number of groups of words, number of words (32 bits each)
///     0x0130  name, 0x0338 type, 0x0540 description, 0x0D40 examples; each ends with a zero
///     0x1540  number of syllables (32 bits); of each its index, its length in bytes, and its letters
///     then    groups of words that sound alike: how many they are, the length in bytes of their syllables' indices, these indices;
///             of each word its length in bytes, the word, the length of what follows (10), its weight (32 bits), zeros
///
/// With the usual 413 syllables the words begin at 0x2628, with 26 single letters beside them at 0x26C4. Users' phrases and words to be deleted may
/// follow; they are not read.
public struct SogouDictionary: Sendable {
    /// A word of the dictionary.
    public struct Entry: Sendable, Hashable {
        /// The word.
        public var word: String
        /// Its syllables, without tones; empty where the file relies on the program's own table.
        public var pinyin: [String]
        /// The number that the file gives it: a rank or a frequency, as its maker liked.
        public var weight: Int
    }

    /// What the dictionary is called.
    public let name: String
    /// Its class: 单位机构名.
    public let type: String
    /// What its maker says of it.
    public let summary: String
    /// Some of its words.
    public let example: String
    /// The words, in the order of the file.
    public let entries: [Entry]

    /// Reads a `.scel` file. Throws a `DataError` where it is not one, is cut off or damaged.
    public init(contentsOf file: URL) throws {
        let data: Data
        do { data = try Data(contentsOf: file, options: .mappedIfSafe) } catch { throw DataError.unreadable(file) }
        try self.init(data, of: file)
    }

    /// Reads what stands in `file`.
    init(_ data: Data, of file: URL) throws {
        self = try data.withUnsafeBytes { try SogouDictionary(bytes: $0, file: file) }
    }

    /// The different words, in the order of the file.
    public var words: [String] {
        var seen: Set<String> = []
        return entries.map(\.word).filter { seen.insert($0).inserted }
    }

    private init(bytes: UnsafeRawBufferPointer, file: URL) throws {
        let magic = bytes.prefix(8)
        guard magic.elementsEqual([0x40, 0x15, 0, 0, 0x44, 0x43, 0x53, 1]) || magic.elementsEqual([0x40, 0x15, 0, 0, 0x45, 0x43, 0x53, 1]) else {
            throw DataError("\(file.path): not a Sogou cell dictionary (.scel): it does not begin with 40 15 00 00 44 43 53 01")
        }
        var parser = Parser(bytes: bytes, file: file)
        try parser.move(to: 0x120)
        let groups = try parser.number32("number of groups")
        name = try parser.header(0x130..<0x338)
        type = try parser.header(0x338..<0x540)
        summary = try parser.header(0x540..<0xD40)
        example = try parser.header(0xD40..<0x1540)
        try parser.move(to: 0x1540)
        let syllables = try parser.syllables()
        var entries: [Entry] = []
        for _ in 0..<groups { try parser.group(syllables, into: &entries) }
        self.entries = entries
    }
}

/// Writes words as a list: UTF-8, a word to a line.
public func writeWordList(_ words: [String], to file: URL) throws {
    let text = words.map { $0 + "\n" }.joined()
    let temporary = file.appendingPathExtension("tmp")
    do { try Data(text.utf8).write(to: temporary) } catch { throw DataError.system("write it", temporary) }
    guard rename(temporary.path, file.path) == 0 else { throw DataError.system("rename it", temporary) }
}

/// Reads numbers and texts one after the other; what does not fit into the file is an error that names the byte.
private struct Parser {
    let bytes: UnsafeRawBufferPointer
    let file: URL
    var position = 0

    init(bytes: UnsafeRawBufferPointer, file: URL) {
        self.bytes = bytes
        self.file = file
    }

    private func error(_ sentence: String) -> DataError { DataError("\(file.path): \(sentence)") }

    private mutating func take(_ count: Int, _ what: String) throws -> Range<Int> {
        guard count <= bytes.count - position else {
            throw error("the file ends at byte \(bytes.count), within the \(what) at byte \(position): it is cut off or damaged")
        }
        defer { position += count }
        return position..<position + count
    }

    mutating func move(to offset: Int) throws {
        position = 0
        _ = try take(offset, "header")
    }

    mutating func number16(_ what: String) throws -> Int {
        let range = try take(2, what)
        return Int(bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: UInt16.self).littleEndian)
    }

    mutating func number32(_ what: String) throws -> Int {
        let range = try take(4, what)
        return Int(bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: UInt32.self).littleEndian)
    }

    private func units(_ range: Range<Int>) -> [UInt16] {
        stride(from: range.lowerBound, to: range.upperBound, by: 2).map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt16.self).littleEndian }
    }

    /// Text of as many bytes as the number before it says.
    private mutating func text(_ what: String) throws -> String {
        let start = position
        let length = try number16(what)
        guard length % 2 == 0 else { throw error("the \(what) at byte \(start) has an odd number of bytes (\(length)): the file is damaged") }
        guard let text = String(validating: units(try take(length, what)), as: UTF16.self) else {
            throw error("the \(what) at byte \(start) is not UTF-16: the file is damaged")
        }
        return text
    }

    /// The text of a part of the header, up to its zero. Its line ends are \r\n.
    mutating func header(_ range: Range<Int>) throws -> String {
        try move(to: range.lowerBound)
        let units = units(try take(range.count, "header"))
        let text = String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
        return text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    }

    /// The syllables by index.
    mutating func syllables() throws -> [Int: String] {
        let count = try number32("number of syllables")
        var syllables: [Int: String] = [:]
        for _ in 0..<count {
            let index = try number16("syllable")
            syllables[index] = try text("syllable")
        }
        return syllables
    }

    /// The words that sound alike.
    mutating func group(_ syllables: [Int: String], into entries: inout [SogouDictionary.Entry]) throws {
        let count = try number16("group of words")
        let start = position
        let length = try number16("group of words")
        guard length % 2 == 0 else { throw error("the group of words at byte \(start) has an odd number of bytes of syllables: the file is damaged") }
        let pinyin = try units(take(length, "group of words")).map { index in
            if syllables.isEmpty { return "" }
            guard let syllable = syllables[Int(index)] else {
                throw error("the group of words at byte \(start) has the syllable \(index), which the table lacks: the file is damaged")
            }
            return syllable
        }.filter { !$0.isEmpty }
        for _ in 0..<count {
            let word = try text("word")
            let end = try number16("word's extension") + position
            let weight = end - position >= 4 ? try number32("word's extension") : 0
            _ = try take(end - position, "word's extension")
            if !word.isEmpty { entries.append(SogouDictionary.Entry(word: word, pinyin: pinyin, weight: weight)) }
        }
    }
}
