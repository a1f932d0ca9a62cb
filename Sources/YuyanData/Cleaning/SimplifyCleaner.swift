import COpenCC
import Foundation
import Synchronization

/// `simplify`: traditional characters → simplified ones.
public struct SimplifyConfiguration: Codable, Sendable, Hashable {
    /// The way of writing to start from; the names are those of OpenCC's configurations.
    public enum From: String, CaseIterable, Codable, Sendable {
        /// OpenCC's standard of traditional characters.
        case t2s
        /// The characters of Taiwan.
        case tw2s
        /// The characters of Taiwan, with its words put into those of the mainland: 滑鼠 → 鼠标.
        case tw2sp
        /// The characters of Hong Kong.
        case hk2s
    }

    /// Where the text comes from.
    public var from = From.t2s

    /// Standard traditional characters.
    public init() {}
}

/// Traditional → simplified by OpenCC. A line without a traditional character is left alone: it is simplified already, and the phrases of OpenCC
/// would change what is right there (打坏 → 打坯). Characters that simplified text has as well (乾坤, 於梨华) speak for a line only where the whole text
/// is traditional. Lines with a traditional character are converted as they stand.
public struct SimplifyCleaner: TextCleaner {
    public let name = "simplify"
    private let converter: ChineseConverter

    /// A cleaner for this way of writing; throws where OpenCC's dictionaries are not installed.
    public init(_ configuration: SimplifyConfiguration = .init()) throws {
        converter = try ChineseConverter.shared(configuration.from.rawValue)
    }

    /// Gives the number of characters that became others.
    public func clean(_ text: inout String) -> Int {
        var changed = 0
        _ = edit(&text) { edits in
            let bytes = edits.source
            guard converter.firstChanging(in: bytes, from: 0) != nil else { return }
            let isTraditional = converter.isTraditional(bytes)
            var index = 0
            while let found = converter.firstChanging(in: bytes, from: index, ambiguous: isTraditional) {
                // Neighbouring lines go together, so that a traditional text costs one call.
                var start = found
                while start > index, bytes[start - 1] != 0x0A { start -= 1 }
                var end = position(of: 0x0A, in: bytes, from: found) ?? bytes.count
                while end < bytes.count {
                    let next = position(of: 0x0A, in: bytes, from: end + 1) ?? bytes.count
                    let line = UnsafeBufferPointer(rebasing: bytes[..<next])
                    guard converter.firstChanging(in: line, from: end + 1, ambiguous: isTraditional) != nil else { break }
                    end = next
                }
                let line = UnsafeBufferPointer(rebasing: bytes[start..<end])
                changed += converter.convert(line) { result in
                    if !result.elementsEqual(line) { edits.replace(start..<end, with: result) }
                    return differences(line, result)
                }
                index = end
            }
        }
        return changed
    }

    /// Characters that differ, place by place, and the difference in length.
    private func differences(_ old: UnsafeBufferPointer<UInt8>, _ new: UnsafeBufferPointer<UInt8>) -> Int {
        var (left, right, count) = (0, 0, 0)
        while left < old.count, right < new.count {
            let (a, lengthA) = scalar(in: old, at: left)
            let (b, lengthB) = scalar(in: new, at: right)
            if a != b { count += 1 }
            left += lengthA
            right += lengthB
        }
        while left < old.count {
            left += scalar(in: old, at: left).length
            count += 1
        }
        while right < new.count {
            right += scalar(in: new, at: right).length
            count += 1
        }
        return count
    }
}

/// One of OpenCC's conversions, opened once in a process. The handle is shared: conversions only read it, and of OpenCC's C functions all but
/// `opencc_error` may be called from several threads (opencc.h).
final class ChineseConverter: @unchecked Sendable {
    private let handle: opencc_t
    /// Whether a scalar is another one after conversion alone: a bit for each below U+32400.
    private let changing: [UInt64]

    /// Characters that OpenCC takes for traditional and that simplified text has too, in names and in the words that they are kept for: 乾坤, 瞭望, 狼藉,
    /// 宫商角徵羽, 获益甚夥, 幺麽, 毕昇, 锺.
    static let ambiguous: Set<UInt32> = Set("乾於瞭藉徵夥麽麼昇鍾".unicodeScalars.map(\.value))

    private static let opened = Mutex<[String: ChineseConverter]>([:])

    static func shared(_ name: String) throws -> ChineseConverter {
        try opened.withLock { opened in
            if let converter = opened[name] { return converter }
            let converter = try ChineseConverter(name)
            opened[name] = converter
            return converter
        }
    }

    private init(_ name: String) throws {
        let opened = opencc_open(name + ".json")
        guard let opened, opened != opencc_t(bitPattern: -1) else {
            throw DataError(
                "OpenCC cannot open its configuration \(name).json; install OpenCC with its dictionaries (package libopencc-data or opencc)")
        }
        handle = opened
        // Every ideograph on a line of its own; no phrase runs over a line end.
        var ideographs: [UInt32] = []
        for range in [UInt32(0x3400)..<0x4DC0, 0x4E00..<0xA000, 0xF900..<0xFB00, 0x20000..<0x32400] { ideographs += range }
        let text = String(String.UnicodeScalarView(ideographs.flatMap { [Unicode.Scalar($0), Unicode.Scalar(10)].compactMap(\.self) }))
        guard let converted = opencc_convert_utf8(handle, text, text.utf8.count) else { throw DataError("OpenCC cannot convert by \(name).json") }
        defer { opencc_convert_utf8_free(converted) }
        var changing = [UInt64](repeating: 0, count: 0x32400 / 64)
        for (value, line) in zip(ideographs, String(cString: converted).split(separator: "\n", omittingEmptySubsequences: false)) {
            if line.unicodeScalars.count != 1 || line.unicodeScalars.first?.value != value { changing[Int(value >> 6)] |= 1 << UInt64(value & 63) }
        }
        self.changing = changing
    }

    deinit {
        opencc_close(handle)
    }

    @inline(__always)
    func changes(_ value: UInt32) -> Bool {
        value >= 0x3400 && value < 0x32400 && changing[Int(value >> 6)] >> UInt64(value & 63) & 1 == 1
    }

    /// Whether one in twenty Han characters is one that only traditional text has; about one in three is in traditional prose.
    func isTraditional(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var (han, sure, index) = (0, 0, 0)
        while index < bytes.count {
            let (value, length) = scalar(in: bytes, at: index)
            index += length
            if isHan(value) {
                han += 1
                if changes(value), !Self.ambiguous.contains(value) { sure += 1 }
            }
        }
        return sure > 0 && 20 * sure >= han
    }

    /// The first character at or after `start` that conversion would change, the ambiguous ones among them or not.
    func firstChanging(in bytes: UnsafeBufferPointer<UInt8>, from start: Int, ambiguous: Bool = true) -> Int? {
        changing.withUnsafeBufferPointer { changing in
            var index = start
            while index < bytes.count {
                let byte = bytes[index]
                if byte < 0x80 {
                    index += 1
                } else if byte < 0xE3 {
                    index += byte < 0xE0 ? 2 : 3
                } else {
                    let (value, length) = scalar(in: bytes, at: index)
                    if value >= 0x3400, value < 0x32400, changing[Int(value >> 6)] >> UInt64(value & 63) & 1 == 1 {
                        if ambiguous || !Self.ambiguous.contains(value) { return index }
                    }
                    index += length
                }
            }
            return nil
        }
    }

    /// Hands the converted bytes to `body`.
    func convert<Result>(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        // OpenCC ends its answer with NUL, so a text that holds one stays as it is.
        guard !bytes.contains(0) else { return body(bytes) }
        let converted = bytes.withMemoryRebound(to: CChar.self) { opencc_convert_utf8(handle, $0.baseAddress, $0.count) }
        guard let converted else { return body(bytes) }
        defer { opencc_convert_utf8_free(converted) }
        let count = strlen(converted)
        return converted.withMemoryRebound(to: UInt8.self, capacity: count) { body(UnsafeBufferPointer(start: $0, count: count)) }
    }
}
