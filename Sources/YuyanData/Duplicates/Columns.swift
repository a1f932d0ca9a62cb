import Foundation

/// What is kept of a run of records to find copies by: columns of numbers, one file for each part of the input.
struct Columns: Sendable {
    enum Name: Int, CaseIterable {
        /// The ids' UTF-8, end to end, and where each ends.
        case ids, idEnds
        case qualities
        /// The two halves of the 128-bit hash of the text.
        case exactFirst, exactSecond
        /// The first band of all records, the second band of all records…; 0 for texts without a shingle.
        case bands
        /// `ShingleSketch`es end to end, and where each ends.
        case sketches, sketchEnds
        /// The hashes of a document's lines or sentences, each once, and where each document's end.
        case lines, lineEnds
    }

    /// How many bands a record has.
    let bandCount: Int
    var count = 0
    var ids: [UInt8] = []
    var idEnds: [UInt32] = []
    var qualities: [Double] = []
    var exactFirst: [UInt64] = []
    var exactSecond: [UInt64] = []
    /// Here by record.
    var bands: [UInt64] = []
    var sketches: [UInt32] = []
    var sketchEnds: [UInt32] = []
    var lines: [UInt64] = []
    var lineEnds: [UInt32] = []

    init(bandCount: Int = 0) {
        self.bandCount = bandCount
    }

    mutating func append(_ other: Columns) {
        func append(_ ends: [UInt32], to all: inout [UInt32], base: Int) { all.append(contentsOf: ends.map { $0 + UInt32(base) }) }
        append(other.idEnds, to: &idEnds, base: ids.count)
        append(other.sketchEnds, to: &sketchEnds, base: sketches.count)
        append(other.lineEnds, to: &lineEnds, base: lines.count)
        ids += other.ids
        qualities += other.qualities
        exactFirst += other.exactFirst
        exactSecond += other.exactSecond
        bands += other.bands
        sketches += other.sketches
        lines += other.lines
        count += other.count
    }

    /// Writes the columns with a mark of the input they were made from; the file appears under its name when it is whole.
    func write(to file: URL, input: UInt64) throws {
        var byBand = [UInt64](repeating: 0, count: bands.count)
        for record in 0..<(bandCount == 0 ? 0 : count) {
            for band in 0..<bandCount { byBand[band * count + record] = bands[record * bandCount + band] }
        }
        let writer = try ColumnWriter(file)
        let sizes = [
            ids.count, 4 * idEnds.count, 8 * qualities.count, 8 * exactFirst.count, 8 * exactSecond.count, 8 * byBand.count, 4 * sketches.count,
            4 * sketchEnds.count, 8 * lines.count, 4 * lineEnds.count,
        ]
        try writer.append([ColumnFile.magic, UInt64(count), UInt64(bandCount), input] + sizes.map(UInt64.init))
        try writer.append(ids)
        try writer.append(idEnds)
        try writer.append(qualities)
        try writer.append(exactFirst)
        try writer.append(exactSecond)
        try writer.append(byBand)
        try writer.append(sketches)
        try writer.append(sketchEnds)
        try writer.append(lines)
        try writer.append(lineEnds)
        try writer.finish()
    }
}

/// Writes arrays one after the other, each filled up to whole words, and a checksum of all at the end.
private final class ColumnWriter {
    private let file: URL
    private let temporary: URL
    private let descriptor: Int32
    private var checksum = Checksum()

    init(_ file: URL) throws {
        self.file = file
        temporary = file.appendingPathExtension("tmp")
        descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw DataError.system("write it", temporary) }
    }

    deinit { close(descriptor) }

    func append<Element: BitwiseCopyable>(_ column: [Element]) throws {
        try column.withUnsafeBytes { bytes in
            let whole = bytes.count & ~7
            checksum.update(UnsafeRawBufferPointer(rebasing: bytes[..<whole]))
            try write(UnsafeRawBufferPointer(rebasing: bytes[..<whole]))
            guard whole < bytes.count else { return }
            var rest: UInt64 = 0
            withUnsafeMutableBytes(of: &rest) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[whole...])) }
            checksum.update(UInt64(littleEndian: rest))
            try withUnsafeBytes(of: rest, write)
        }
    }

    func finish() throws {
        try withUnsafeBytes(of: checksum.value.littleEndian, write)
        guard fsync(descriptor) == 0 else { throw DataError.system("write it", temporary) }
        guard rename(temporary.path, file.path) == 0 else { throw DataError.system("rename it to \(file.lastPathComponent)", temporary) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = Foundation.write(descriptor, base + done, bytes.count - done)
            guard count > 0 else { throw DataError.system("write it", temporary) }
            done += count
        }
    }
}

/// A file of columns, of which any part can be read by any thread.
///
/// Sendable: nothing changes after it is opened, and reading is by offset.
final class ColumnFile: Sendable {
    static let magic: UInt64 = 0x3130_5055_4455_5959  // "YYUDUP01"
    private static let headerBytes = 8 * (4 + Columns.Name.allCases.count)
    /// Beyond these, files are opened for each reading: a process may have some hundred open.
    private static let openFiles = 200

    let file: URL
    let count: Int
    let bandCount: Int
    /// The mark of the input.
    let input: UInt64
    private let ranges: [Range<Int>]
    private let size: Int
    private let descriptor: Int32?

    /// Opens the `number`th of the files that are open at the same time. Throws where it is not a whole file of columns.
    init(_ file: URL, number: Int) throws {
        self.file = file
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        let isKept = number < Self.openFiles
        self.descriptor = isKept ? descriptor : nil
        defer { if !isKept { close(descriptor) } }
        var header = [UInt64](repeating: 0, count: Self.headerBytes / 8)
        let size = Int(lseek(descriptor, 0, SEEK_END))
        let got = header.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, Self.headerBytes, 0) }
        var offset = Self.headerBytes
        var ranges: [Range<Int>] = []
        if got == Self.headerBytes, header[0] == Self.magic {
            for length in header[4...] {
                let length = Int(clamping: length)
                guard length <= size - offset else { break }
                ranges.append(offset..<offset + length)
                offset += (length + 7) & ~7
            }
        }
        (count, bandCount, input) = (Int(clamping: header[1]), Int(clamping: header[2]), header[3])
        (self.ranges, self.size) = (ranges, size)
        guard ranges.count == Columns.Name.allCases.count, offset + 8 == size else { throw Self.damaged(file) }
    }

    deinit { if let descriptor { close(descriptor) } }

    private static func damaged(_ file: URL) -> DataError {
        DataError("\(file.path): this file is damaged or of another version; delete the folder that it stands in and begin anew")
    }

    /// How many elements a column has.
    func elements<Element: BitwiseCopyable>(_ column: Columns.Name, as _: Element.Type) -> Int {
        ranges[column.rawValue].count / MemoryLayout<Element>.size
    }

    /// A whole column.
    func read<Element: BitwiseCopyable>(_ column: Columns.Name, as type: Element.Type) throws -> [Element] {
        try read(column, 0..<elements(column, as: type), as: type)
    }

    /// Some elements of a column.
    func read<Element: BitwiseCopyable>(_ column: Columns.Name, _ range: Range<Int>, as _: Element.Type) throws -> [Element] {
        let stride = MemoryLayout<Element>.size
        let place = ranges[column.rawValue]
        precondition(range.lowerBound >= 0 && range.upperBound * stride <= place.count, "a column is read beyond its end")
        return try [Element](unsafeUninitializedCapacity: range.count) { buffer, filled in
            try readBytes(UnsafeMutableRawBufferPointer(buffer), at: place.lowerBound + range.lowerBound * stride, count: range.count * stride)
            filled = range.count
        }
    }

    /// The hashes of one band of all records.
    func band(_ band: Int) throws -> [UInt64] {
        try read(.bands, band * count..<(band + 1) * count, as: UInt64.self)
    }

    /// What a column of ends says of a record.
    func range(_ column: Columns.Name, _ record: Int) throws -> Range<Int> {
        let ends = try read(column, max(0, record - 1)..<record + 1, as: UInt32.self)
        return record == 0 ? 0..<Int(ends[0]) : Int(ends[0])..<Int(ends[1])
    }

    func id(_ record: Int) throws -> String {
        String(decoding: try read(.ids, try range(.idEnds, record), as: UInt8.self), as: UTF8.self)
    }

    /// A record's sketch, ready to be compared.
    func sketch(_ record: Int) throws -> [UInt32] {
        var sketch = try read(.sketches, try range(.sketchEnds, record), as: UInt32.self)
        ShingleSketch.prepare(&sketch)
        return sketch
    }

    func exactHash(_ record: Int) throws -> [UInt64] {
        try read(.exactFirst, record..<record + 1, as: UInt64.self) + read(.exactSecond, record..<record + 1, as: UInt64.self)
    }

    /// Reads the whole file and throws where it is not as it was written.
    func verify() throws {
        var checksum = Checksum()
        var block = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while offset < size - 8 {
            let length = min(block.count, size - 8 - offset)
            try block.withUnsafeMutableBytes { buffer in
                try readBytes(buffer, at: offset, count: length)
                checksum.update(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
            }
            offset += length
        }
        var kept: UInt64 = 0
        try withUnsafeMutableBytes(of: &kept) { try readBytes($0, at: size - 8, count: 8) }
        guard UInt64(littleEndian: kept) == checksum.value else { throw Self.damaged(file) }
    }

    private func readBytes(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int, count: Int) throws {
        let descriptor = self.descriptor ?? open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
        defer { if self.descriptor == nil { close(descriptor) } }
        var done = 0
        while done < count, let base = buffer.baseAddress {
            let got = pread(descriptor, base + done, count - done, off_t(offset + done))
            guard got > 0 else { throw got < 0 ? DataError.system("read it", file) : Self.damaged(file) }
            done += got
        }
    }
}

/// Several files of columns as one row of records; ordinals count through all of them.
struct ColumnFiles: Sendable {
    let files: [ColumnFile]
    /// The ordinal of each file's first record, and at the end the number of records.
    let starts: [Int]
    var count: Int { starts[files.count] }

    init(_ files: [ColumnFile]) throws {
        self.files = files
        starts = files.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
        if count >= UInt32.max { throw DataError("\(count) records are more than the 4,294,967,294 that can be compared at once; split the input") }
    }

    /// The file of a record, and its place in it.
    func place(_ ordinal: Int) -> (file: ColumnFile, record: Int) {
        var (low, high) = (0, files.count)  // the last start that is not above the ordinal
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= ordinal { low = middle } else { high = middle }
        }
        return (files[low], ordinal - starts[low])
    }

    func id(_ ordinal: Int) throws -> String {
        let (file, record) = place(ordinal)
        return try file.id(record)
    }

    func sketch(_ ordinal: Int) throws -> [UInt32] {
        let (file, record) = place(ordinal)
        return try file.sketch(record)
    }

    func exactHash(_ ordinal: Int) throws -> [UInt64] {
        let (file, record) = place(ordinal)
        return try file.exactHash(record)
    }
}
