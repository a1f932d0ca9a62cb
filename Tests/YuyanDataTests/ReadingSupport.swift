import CZlib
import CZstd
import Foundation

@testable import YuyanData

/// One member of a gzip file.
func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let sink = MemorySink()
    let compressor = try GzipSink(sink)
    try bytes.withUnsafeBytes { try compressor.write($0) }
    try compressor.finish()
    return sink.bytes
}

/// One frame of a zstd file.
func zstd(_ bytes: [UInt8]) throws -> [UInt8] {
    let sink = MemorySink()
    let compressor = try ZstdSink(sink)
    try bytes.withUnsafeBytes { try compressor.write($0) }
    try compressor.finish()
    return sink.bytes
}

private final class MemorySink: ByteSink {
    var bytes: [UInt8] = []
    func write(_ bytes: UnsafeRawBufferPointer) throws { self.bytes += Array(bytes) }
    func finish() throws {}
}

/// The text in another encoding, by iconv(3).
func encoded(_ text: String, _ encoding: String) throws -> [UInt8] {
    guard let descriptor = iconv_open(encoding, "UTF-8"), Int(bitPattern: descriptor) != -1 else { throw DataError("no encoding \(encoding)") }
    defer { iconv_close(descriptor) }
    var source = Array(text.utf8).map { CChar(bitPattern: $0) }
    var target = [CChar](repeating: 0, count: source.count * 4 + 16)
    var (unread, room) = (source.count, target.count)
    let failed = source.withUnsafeMutableBufferPointer { source in
        target.withUnsafeMutableBufferPointer { target in
            var (input, output) = (source.baseAddress, target.baseAddress)
            return iconv(descriptor, &input, &unread, &output, &room) == -1
        }
    }
    if failed { throw DataError("\(text) is not all in \(encoding)") }
    return target[..<(target.count - room)].map { UInt8(bitPattern: $0) }
}

/// What is read of these files where what is broken is passed over.
func readSkipping(_ paths: String..., configure: (inout ReadingConfiguration) -> Void = { _ in }) throws -> (records: [Record], problems: [String]) {
    var options = ReadingConfiguration()
    options.broken = .skip
    configure(&options)
    var reader = try RecordReader(paths, options: options)
    let records = try reader.readAll()
    return (records, reader.problems)
}

/// Damages a text: bytes changed, taken out, put in, doubled, or the end cut off.
func damaged(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.number(in: 0...3) {
        guard !bytes.isEmpty else { break }
        let place = random.number(in: 0...bytes.count - 1)
        let other = random.number(in: 0...bytes.count - 1)
        switch random.number(in: 0...6) {
        case 0: bytes[place] = UInt8(random.number(in: 0...255))
        case 1: bytes[place] = random.element(of: Array("{}[]\",:\\\r\n\u{0}0tnf-u".utf8))
        case 2: bytes.remove(at: place)
        case 3: bytes.insert(random.element(of: Array("{}[]\",:\\\r\n\u{0}0e".utf8)), at: place)
        case 4: bytes.removeSubrange(min(place, other)..<max(place, other))
        case 5: bytes.insert(contentsOf: bytes[min(place, other)..<min(max(place, other), min(place, other) + 40)], at: place)
        default: bytes.removeSubrange(place...)
        }
    }
    return bytes
}
