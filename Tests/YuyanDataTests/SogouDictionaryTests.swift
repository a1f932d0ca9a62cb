import Foundation
import Testing

@testable import YuyanData

@Suite struct SogouDictionaryTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Writes a cell dictionary in the layout of Sogou's own.
    struct Encoder {
        var name = "鸟类名录"
        var type = "自然科学"
        var summary = "常见的鸟。\r\n共六个词"
        var example = "雨燕 家燕 "
        var syllables = ["bai", "chun", "jia", "lu", "que", "ti", "ya", "yan", "yu"]
        /// Words that sound alike, with their weights.
        var groups: [(pinyin: [Int], words: [(String, UInt32)])] = [
            ([8, 7], [("雨燕", 3), ("语言", 1)]), ([2, 7], [("家燕", 2)]), ([0, 3], [("白鹭", 70000), ("𪀚鹭", 5)]), ([2, 7], [("家燕", 2)]),
        ]
        var letters = false
        var after: [UInt8] = []

        func number(_ value: Int, _ bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

        func text(_ text: String) -> [UInt8] { text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } }

        func bytes() -> [UInt8] {
            var file: [UInt8] = [0x40, 0x15, 0, 0, letters ? 0x45 : 0x44, 0x43, 0x53, 0x01, 0x01, 0, 0, 0]
            func put(_ bytes: [UInt8], at offset: Int) {
                if file.count < offset { file += [UInt8](repeating: 0, count: offset - file.count) }
                file.replaceSubrange(offset..<min(file.count, offset + bytes.count), with: bytes)
            }
            put(number(groups.count, 4) + number(groups.reduce(0) { $0 + $1.words.count }, 4), at: 0x120)
            put(text(name), at: 0x130)
            put(text(type), at: 0x338)
            put(text(summary), at: 0x540)
            put(text(example), at: 0xD40)
            let table = syllables + (letters ? (0..<26).map { String(UnicodeScalar(UInt8(ascii: "A") + $0)) } : [])
            put(number(table.count, 4), at: 0x1540)
            for (index, syllable) in table.enumerated() { file += number(index, 2) + number(syllable.utf16.count * 2, 2) + text(syllable) }
            for group in groups {
                file += number(group.words.count, 2) + number(group.pinyin.count * 2, 2) + group.pinyin.flatMap { number($0, 2) }
                for (word, weight) in group.words {
                    file += number(word.utf16.count * 2, 2) + text(word) + number(10, 2) + number(Int(weight), 4) + [UInt8](repeating: 0, count: 6)
                }
            }
            return file + after
        }
    }

    private func read(_ bytes: [UInt8]) throws -> SogouDictionary {
        try SogouDictionary(contentsOf: URL(fileURLWithPath: folder.write("鸟.scel", bytes)))
    }

    @Test func headerWordsSyllablesAndWeights() throws {
        let dictionary = try read(Encoder().bytes())
        #expect(dictionary.name == "鸟类名录")
        #expect(dictionary.type == "自然科学")
        #expect(dictionary.summary == "常见的鸟。\n共六个词")
        #expect(dictionary.example == "雨燕 家燕 ")
        #expect(dictionary.entries.map(\.word) == ["雨燕", "语言", "家燕", "白鹭", "𪀚鹭", "家燕"])
        #expect(dictionary.entries[1] == .init(word: "语言", pinyin: ["yu", "yan"], weight: 1))
        #expect(dictionary.entries[3] == .init(word: "白鹭", pinyin: ["bai", "lu"], weight: 70000))
        #expect(dictionary.words == ["雨燕", "语言", "家燕", "白鹭", "𪀚鹭"])
    }

    /// With the whole table of syllables the words begin where other readers look for them.
    @Test(arguments: [(false, 0x2628), (true, 0x26C4)]) func theUsualTables(letters: Bool, start: Int) throws {
        // 413 syllables; their letters fill the table of 4,324 bytes.
        var encoder = Encoder()
        encoder.syllables += (encoder.syllables.count..<413).map { "s\($0)" }
        let length = 0x2628 - 0x1544
        var spare = (length - encoder.syllables.reduce(0) { $0 + 4 + $1.utf16.count * 2 }) / 2
        for index in encoder.syllables.indices.reversed() where spare < 0 && encoder.syllables[index].count > 2 {
            encoder.syllables[index].removeLast()
            spare += 1
        }
        encoder.syllables[412] += String(repeating: "x", count: max(0, spare))
        encoder.letters = letters
        let bytes = encoder.bytes()
        #expect(Array(bytes[start..<start + 8]) == [2, 0, 4, 0, 8, 0, 7, 0])
        #expect(try read(bytes).entries.first == .init(word: "雨燕", pinyin: ["yu", "yan"], weight: 3))
    }

    @Test func whatFollowsTheWordsIsNotRead() throws {
        var encoder = Encoder()
        encoder.after = encoder.text("DELTBL") + encoder.number(1, 2) + encoder.number(2, 2) + encoder.text("麻雀")
        #expect(try read(encoder.bytes()).entries.count == 6)
    }

    @Test func withoutATableThereAreWordsButNoSyllables() throws {
        var encoder = Encoder()
        encoder.syllables = []
        #expect(try read(encoder.bytes()).entries.first == .init(word: "雨燕", pinyin: [], weight: 3))
    }

    @Test func wordsBecomeAListOfLines() throws {
        let list = folder.file("鸟.txt")
        try writeWordList(read(Encoder().bytes()).words, to: list)
        #expect(try String(contentsOf: list, encoding: .utf8) == "雨燕\n语言\n家燕\n白鹭\n𪀚鹭\n")
        #expect(errorSentence { try writeWordList(["词"], to: URL(fileURLWithPath: "/没有/词.txt")) }.hasPrefix("/没有/词.txt.tmp: cannot write it"))
    }

    @Test func damagedFilesAreOneSentence() throws {
        let path = folder.file("鸟.scel").path
        #expect(errorSentence { _ = try read(Array("雨燕\n家燕\n".utf8)) }.hasPrefix("\(path): not a Sogou cell dictionary (.scel)"))
        let bytes = Encoder().bytes()
        #expect(
            errorSentence { _ = try read(Array(bytes.prefix(0x200))) }
                == "\(path): the file ends at byte 512, within the header at byte 304: it is cut off or damaged")
        for length in stride(from: 8, to: bytes.count, by: 7) {
            #expect(errorSentence { _ = try read(Array(bytes.prefix(length))) }.contains("it is cut off or damaged"))
        }
        #expect(errorSentence { _ = try SogouDictionary(contentsOf: URL(fileURLWithPath: "/没有.scel")) }.contains("cannot read it"))
        var unknown = Encoder()
        unknown.groups[0].pinyin = [8, 99]
        #expect(errorSentence { _ = try read(unknown.bytes()) }.contains("has the syllable 99, which the table lacks"))
        let words = bytes.count - Encoder().groups.reduce(0) { $0 + 4 + $1.pinyin.count * 2 + $1.words.reduce(0) { $0 + 14 + $1.0.utf16.count * 2 } }
        var odd = bytes
        odd[words + 8] = 3
        #expect(errorSentence { _ = try read(odd) }.contains("has an odd number of bytes (3)"))
        var surrogate = bytes
        surrogate.replaceSubrange(words + 10..<words + 12, with: [0x00, 0xD8])
        #expect(errorSentence { _ = try read(surrogate) }.contains("is not UTF-16"))
    }

    @Test func damagedBytesNeverCrash() throws {
        let bytes = Encoder().bytes()
        // Where numbers stand, and anywhere.
        let places = [0x120, 0x121, 0x122, 0x123, 0x1540, 0x1541, 0x1542, 0x1543] + Array(0x1544..<bytes.count)
        var random = SeededRandom(seed: 30)
        var read = 0
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0...random.number(in: 0...3) {
                let place = random.number(in: 0...9) == 0 ? random.number(in: 8...bytes.count - 1) : random.element(of: places)
                damaged[place] = UInt8(random.number(in: 0...255))
            }
            if random.number(in: 0...3) == 0 { damaged.removeLast(random.number(in: 1...bytes.count - 8)) }
            if random.number(in: 0...3) == 0 { damaged += damaged.suffix(random.number(in: 1...200)) }
            do {
                let dictionary = try SogouDictionary(Data(damaged), of: folder.file("鸟.scel"))
                #expect(dictionary.entries.allSatisfy { !$0.word.isEmpty })
                read += 1
            } catch {
                #expect(error is DataError && !"\(error)".contains("\n"))
            }
        }
        #expect(read > 100)
    }
}
