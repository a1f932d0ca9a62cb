import Foundation

/// The layout of a character model (`*.yyn`), little-endian. Symbols are numbers of 16 bits: 0 is an unknown character, 1 the beginning
/// of a line, 2 its end, and 3… the characters of the vocabulary in the order of their scalar values.
///
///     header, 128 bytes    magic, version, order, counts, slots of each table, checksums
///     vocabulary           UInt32 each, padded to a multiple of 8 bytes
///     unigrams             for each symbol: ln p, ln b (Float each)
///     tables, order 2…n    open addressing without wrapping round: check (UInt32, 0 where a slot is free), ln p, ln b; the highest order,
///                          which is never a history, has no b; padded to a multiple of 8 bytes
///
/// p is the interpolated probability of the last symbol after the others, b the share of a history's mass that shorter ones share out.
struct NGramLayout: Equatable {
    static let headerBytes = 128
    static let magic = Array("YUYANNGM".utf8)
    static let version: UInt32 = 1
    static let unknown: UInt16 = 0
    static let begin: UInt16 = 1
    static let end: UInt16 = 2
    static let specials = 3
    /// Characters that a vocabulary can hold.
    static let maximumCharacters = (1 << 16) - specials
    /// Slots behind the last one that a hash points to, so that a search ends without wrapping round.
    static let slack = 1024

    var order: Int
    /// Characters of the vocabulary.
    var characters: Int
    /// n-grams that are kept, by order − 1.
    var counts: [Int]

    var symbols: Int { characters + Self.specials }

    /// Slots that a hash can point to: seven of ten are used.
    func homeSlots(_ order: Int) -> Int { counts[order - 1] + counts[order - 1] * 3 / 7 + 1 }
    /// All slots of a table.
    func slots(_ order: Int) -> Int { homeSlots(order) + Self.slack }
    /// 32-bit words of a slot.
    func width(_ order: Int) -> Int { order == self.order ? 2 : 3 }

    var unigramOffset: Int { Self.headerBytes + (characters * 4 + 7) / 8 * 8 }

    func tableOffset(_ order: Int) -> Int {
        var offset = unigramOffset + symbols * 8
        for lower in stride(from: 2, to: order, by: 1) { offset += tableBytes(lower) }
        return offset
    }

    private func tableBytes(_ order: Int) -> Int { (slots(order) * width(order) * 4 + 7) / 8 * 8 }

    var fileSize: Int { tableOffset(order + 1) }

    /// The first 128 bytes of a file with this body checksum.
    func header(checksum: UInt64) -> [UInt8] {
        var bytes = Self.magic
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        append(Self.version)
        append(UInt32(order))
        append(UInt64(characters))
        append(checksum)
        for order in 0..<NGramRecord.maximumOrder { append(UInt64(order < counts.count ? counts[order] : 0)) }
        bytes += [UInt8](repeating: 0, count: Self.headerBytes - 8 - bytes.count)
        append(Self.checksum(of: bytes))
        return bytes
    }

    init(order: Int, characters: Int, counts: [Int]) {
        (self.order, self.characters, self.counts) = (order, characters, counts)
    }

    /// The layout of the model in `bytes`. Throws where it is none, of another version, damaged or cut short.
    init(_ bytes: UnsafeRawBufferPointer, of file: URL) throws {
        guard bytes.count >= Self.magic.count, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
            throw DataError("\(file.path): not a character model (its first bytes are not \"YUYANNGM\")")
        }
        guard bytes.count >= Self.headerBytes else {
            throw DataError("\(file.path): the character model is cut short, at \(bytes.count) bytes within its header; train it again")
        }
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        let version = load(8, as: UInt32.self)
        guard version == Self.version else {
            throw DataError("\(file.path): a character model of version \(version), and this program reads version \(Self.version); train it again")
        }
        let (order, characters) = (load(12, as: UInt32.self), load(16, as: UInt64.self))
        let counts = (0..<NGramRecord.maximumOrder).map { load(32 + 8 * $0, as: UInt64.self) }
        guard load(Self.headerBytes - 8, as: UInt64.self) == Self.checksum(of: Array(bytes.prefix(Self.headerBytes - 8))),
            (1...UInt32(NGramRecord.maximumOrder)).contains(order), characters <= UInt64(Self.maximumCharacters), counts.allSatisfy({ $0 < 1 << 32 })
        else { throw DataError("\(file.path): the header of the character model is damaged; train it again") }
        self.init(order: Int(order), characters: Int(characters), counts: counts.prefix(Int(order)).map { Int($0) })
        guard bytes.count == fileSize else {
            throw DataError("\(file.path): the character model has \(bytes.count) bytes where its header says \(fileSize); train it again")
        }
        var checksum = Checksum()
        checksum.update(UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...]))
        guard checksum.value == load(24, as: UInt64.self) else {
            throw DataError("\(file.path): the character model is damaged (its checksum does not match); train it again")
        }
        // What follows holds for every file that was written here; a file made otherwise must not lead a search out of its table.
        let scalars = (0..<self.characters).map { load(Self.headerBytes + 4 * $0, as: UInt32.self) }
        let endsAreFree = (2...max(2, self.order)).allSatisfy {
            $0 > self.order || load(tableOffset($0) + (slots($0) - 1) * width($0) * 4, as: UInt32.self) == 0
        }
        guard zip(scalars, scalars.dropFirst()).allSatisfy(<), scalars.allSatisfy({ Unicode.Scalar($0) != nil }), endsAreFree else {
            throw DataError("\(file.path): the tables of the character model are not in order; train it again")
        }
    }

    private static func checksum(of bytes: [UInt8]) -> UInt64 {
        var checksum = Checksum()
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }
}

/// The bytes of a model, in memory of its own or mapped from a file.
final class NGramImage: @unchecked Sendable {  // written only while it is made
    let bytes: UnsafeMutableRawBufferPointer

    /// Zeros.
    init(byteCount: Int) throws {
        guard let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), address != MAP_FAILED else {
            throw DataError("a character model of \(byteCount >> 20) MiB does not fit in memory; cut off rare n-grams by larger minimum counts")
        }
        #if os(Linux)
            // Large pages: a lookup touches a random place, and with small ones the page tables would be missed as often as the data.
            madvise(address, byteCount, MADV_HUGEPAGE)
        #endif
        bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    /// A file as it lies on disk.
    init(_ file: URL) throws {
        let descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("open it", file) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DataError.system("read it", file) }
        guard status.st_size > 0 else { throw DataError("\(file.path): not a character model (it is empty)") }
        guard let address = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw DataError.system("map it into memory", file)
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: Int(status.st_size))
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }
}
