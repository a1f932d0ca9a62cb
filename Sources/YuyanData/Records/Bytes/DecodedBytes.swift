/// The bytes of a text file as UTF-8, whatever its encoding. UTF-8 passes as it is, checked by whoever makes text of it.
final class DecodedBytes: ByteSource {
    private let source: any ByteSource
    /// `automatic` as long as there was nothing but ASCII.
    private var encoding: TextEncoding
    private var converter: TextConverter?
    /// Bytes of the source that are not given yet.
    private var held: [UInt8] = []
    private var isAtStart = true
    private var isAtEnd = false
    /// What broke the source, until everything before it has been given.
    private var failure: (any Error)?
    /// Bytes of the source that have been converted, and what they gave.
    private var (taken, given) = (0, 0)
    /// Where bytes that are nothing in their encoding stand, in the source by their place in the output: the first ones.
    private var faults: [Int: Int] = [:]

    init(_ source: any ByteSource, encoding: TextEncoding) {
        self.source = source
        self.encoding = encoding
        converter = TextConverter(encoding)
    }

    var isLive: Bool { source.isLive }

    /// What is wrong at a byte of the output that is not UTF-8: the encoding that was read, and the byte of the source.
    func fault(at offset: Int) -> (encoding: TextEncoding, offset: Int) {
        converter == nil ? (.utf8, offset) : (encoding, faults[offset] ?? offset)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if isAtStart, encoding == .automatic || encoding == .utf16 { try readByteOrderMark(buffer.count) }
        isAtStart = false
        if encoding == .automatic { try decide(buffer.count) }
        if converter != nil { return try convert(into: buffer) }
        guard !held.isEmpty else {
            if let failure { throw failure }
            return try source.read(into: buffer)
        }
        // Before the encoding is known, ASCII alone is let through.
        let ready = encoding == .automatic ? held.withUnsafeBytes(asciiPrefix) : held.count
        let count = min(ready, buffer.count)
        buffer.copyBytes(from: held[..<count])
        held.removeFirst(count)
        return count
    }

    /// Holds at least `count` bytes, if there are so many.
    private func hold(_ count: Int) throws {
        if let failure, held.isEmpty { throw failure }
        guard held.count < count, !isAtEnd, failure == nil else { return }
        var known = held.count
        held.append(contentsOf: repeatElement(0, count: count - known))
        defer { held.removeLast(held.count - known) }
        while known < count {
            let more: Int
            do {
                more = try held.withUnsafeMutableBytes { try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[known...])) }
            } catch {
                guard known > 0 else { throw error }
                failure = error
                return
            }
            known += more
            if more == 0 { isAtEnd = true }
            if more == 0 || isLive { return }
        }
    }

    private func readByteOrderMark(_ blockSize: Int) throws {
        try hold(max(blockSize, 1 << 12))
        if held == [0xFF] || held == [0xFE] { try hold(2) }
        guard held.starts(with: [0xFF, 0xFE]) || held.starts(with: [0xFE, 0xFF]) else { return }
        encoding = .utf16
        converter = TextConverter(.utf16, isBigEndian: held[0] == 0xFE)
        held.removeFirst(2)
        taken = 2
    }

    /// Reads a block, and settles the encoding if anything in it is not ASCII. Of a file enough is read to go by; a pipe has to be taken as it comes.
    private func decide(_ blockSize: Int) throws {
        if held.isEmpty || (held[0] >= 0x80 && !isLive) { try hold(max(blockSize, 1 << 12)) }
        let first = held.withUnsafeBytes(asciiPrefix)
        if first == held.count { return }
        if first > 0, held.count - first < 1 << 10, !isLive, !isAtEnd { return }
        encoding = held.withUnsafeBytes { TextEncoding.detect(UnsafeRawBufferPointer(rebasing: $0[first...]), isWhole: isAtEnd) } ?? .utf8
        converter = TextConverter(encoding)
        if encoding == .utf16 { (encoding, converter) = (.utf8, nil) }  // the mark of UTF-16 counts at the beginning only
    }

    private func convert(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        precondition(buffer.count >= 16, "there is room for a character")
        guard let converter else { return 0 }
        while true {
            if held.isEmpty {
                if isAtEnd { return 0 }
                try hold(1 << 16)
                continue
            }
            let progress = held.withUnsafeBytes { converter.convert($0, into: UnsafeMutableRawBufferPointer(rebasing: buffer.dropLast())) }
            held.removeFirst(progress.taken)
            taken += progress.taken
            given += progress.given
            // A character that the file ends in the middle of is a fault like any other.
            if progress.isAtFault || (progress.given == 0 && (isAtEnd || failure != nil)) {
                buffer[progress.given] = TextConverter.fault
                if faults.count < 1000 { faults[given] = taken }
                held.removeFirst()
                taken += 1
                given += 1
                return progress.given + 1
            }
            if progress.given > 0 { return progress.given }
            try hold(max(held.count + 16, 1 << 16))
        }
    }
}
