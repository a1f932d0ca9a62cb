import Foundation

/// A text being mended from its beginning to its end: ranges of its UTF-8 bytes are replaced, everything between is kept. Nothing is copied until
/// the first change, so that a text in which nothing is found costs no more than the look through it.
struct TextEdits {
    let source: UnsafeBufferPointer<UInt8>
    private(set) var count = 0
    private var output: [UInt8] = []
    /// All of `source` before here is in `output` or gone.
    private var done = 0

    init(_ source: UnsafeBufferPointer<UInt8>) {
        self.source = source
    }

    /// Puts `replacement` in the place of bytes that begin where the last change ended or later. Both are whole scalars.
    @inline(never)
    mutating func replace(_ range: Range<Int>, with replacement: some Collection<UInt8>) {
        keep(until: range.lowerBound)
        output.append(contentsOf: replacement)
        done = range.upperBound
        count += 1
    }

    @inline(never)
    mutating func remove(_ range: Range<Int>) {
        keep(until: range.lowerBound)
        done = range.upperBound
        count += 1
    }

    private mutating func keep(until end: Int) {
        if count == 0 { output.reserveCapacity(source.count + 16) }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: source[done..<end]))
    }

    /// The byte that stands before `position` as things are now; nil at the beginning of the text.
    func byte(before position: Int) -> UInt8? {
        position > done ? source[position - 1] : output.last
    }

    /// Removes the blank lines at the end, once all else is done; the last line keeps its own line end.
    mutating func trimBlankEnd() {
        var end = source.count
        while end > done, source[end - 1] == 0x0A { end -= 1 }
        if end > done {
            if source.count - end > 1 { remove(end + 1..<source.count) }
            return
        }
        keep(until: source.count)
        done = source.count
        let last = output.lastIndex { $0 != 0x0A }.map { $0 + 1 } ?? 0
        if output.count - last > 1 || last == 0 && !output.isEmpty {
            output.removeLast(output.count - (last == 0 ? 0 : last + 1))
            count += 1
        }
    }

    /// The mended text; nil where nothing was changed.
    mutating func finish() -> String? {
        guard count > 0 else { return nil }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: source[done...]))
        return String(decoding: output, as: UTF8.self)
    }
}

/// Lets `find` mend `text`; gives the number of changes.
func edit(_ text: inout String, _ find: (inout TextEdits) -> Void) -> Int {
    let (result, count) = text.withUTF8 { bytes -> (String?, Int) in
        var edits = TextEdits(bytes)
        find(&edits)
        return (edits.finish(), edits.count)
    }
    if let result { text = result }
    return count
}

/// The scalar that begins at `index` of well-formed UTF-8, and how many bytes it has.
@inline(__always)
func scalar(in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> (value: UInt32, length: Int) {
    let base = bytes.baseAddress.unsafelyUnwrapped + index
    let first = UInt32(base[0])
    if first < 0x80 { return (first, 1) }
    if first < 0xE0 { return ((first & 0x1F) << 6 | UInt32(base[1] & 0x3F), 2) }
    if first < 0xF0 { return ((first & 0x0F) << 12 | UInt32(base[1] & 0x3F) << 6 | UInt32(base[2] & 0x3F), 3) }
    return ((first & 0x07) << 18 | UInt32(base[1] & 0x3F) << 12 | UInt32(base[2] & 0x3F) << 6 | UInt32(base[3] & 0x3F), 4)
}

/// The scalar that ends before `index` of well-formed UTF-8; nil at the beginning.
@inline(__always)
func scalar(in bytes: UnsafeBufferPointer<UInt8>, before index: Int) -> (value: UInt32, length: Int)? {
    guard index > 0 else { return nil }
    var start = index - 1
    while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(in: bytes, at: start)
}

/// The first place at or after `start` where the byte stands.
@inline(__always)
func position(of byte: UInt8, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    guard start < bytes.count, let base = bytes.baseAddress else { return nil }
    guard let found = memchr(base + start, Int32(byte), bytes.count - start) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
}

/// ASCII letters in lower case; other bytes as they are.
@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
}

/// Whether `bytes` hold this ASCII text (given in lower case) at `index`, whatever the case there.
@inline(__always)
func hasPrefix(_ prefix: StaticString, in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
    let length = prefix.utf8CodeUnitCount
    guard index >= 0, index + length <= bytes.count else { return false }
    for offset in 0..<length where lowercased(bytes[index + offset]) != prefix.utf8Start[offset] { return false }
    return true
}

/// A scalar's UTF-8 bytes.
func utf8(_ value: UInt32) -> [UInt8] {
    Unicode.Scalar(value).map { Array(String(Character($0)).utf8) } ?? []
}

/// Han as Chinese text uses it: the unified ideographs with their extensions, the compatibility ideographs, 〇 and 々.
@inline(__always)
func isHan(_ value: UInt32) -> Bool {
    value &- 0x4E00 < 0x5200 || value &- 0x3400 < 0x19C0 || value &- 0x20000 < 0x123B0 || value &- 0xF900 < 0x200 || value == 0x3007
        || value == 0x3005
}
