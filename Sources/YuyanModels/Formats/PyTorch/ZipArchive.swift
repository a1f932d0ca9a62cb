internal import Foundation

/// Where the entries of a zip archive lie in its file. Stored ones only, which is what PyTorch writes (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3).
struct ZipArchive {
    /// In the order of the directory.
    private(set) var names: [String] = []
    /// The bytes of each entry, from the start of the file.
    private(set) var entries: [String: Range<Int>] = [:]

    static func isZip(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

    init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
        func wrong(_ text: String) -> WeightsError { WeightsError("\(file): the zip archive is damaged or cut off: \(text)") }
        // The end record is 22 bytes and a comment of at most 65,535.
        let signature: [UInt8] = [0x50, 0x4B, 0x05, 0x06]
        let first = max(0, bytes.count - 22 - 65_535)
        guard bytes.count >= 22,
            let end = (first...bytes.count - 22).last(where: { bytes[$0] == 0x50 && bytes[$0..<$0 + 4].elementsEqual(signature) })
        else { throw wrong("the directory at its end is missing") }

        var reader = ByteReader(bytes, file: file, at: end + 8)
        _ = try reader.integer(UInt16.self, "the directory's end")
        var count = try reader.size(UInt16.self, "the number of entries")
        _ = try reader.integer(UInt32.self, "the directory's size")
        var start = try reader.size(UInt32.self, "the directory's place")
        if end >= 20, bytes[end - 20..<end - 16].elementsEqual([0x50, 0x4B, 0x06, 0x07]) {  // the locator of the 64-bit end record
            reader = ByteReader(bytes, file: file, at: end - 12)
            let place = try reader.size(UInt64.self, "the directory's place")
            guard place <= bytes.count - 56, bytes[place..<place + 4].elementsEqual([0x50, 0x4B, 0x06, 0x06]) else {
                throw wrong("its 64-bit end record is not at byte \(place)")
            }
            reader = ByteReader(bytes, file: file, at: place + 32)
            count = try reader.size(UInt64.self, "the number of entries")
            _ = try reader.integer(UInt64.self, "the directory's size")
            start = try reader.size(UInt64.self, "the directory's place")
        }
        guard start <= bytes.count else { throw wrong("its directory should begin at byte \(start) of \(bytes.count)") }

        reader = ByteReader(bytes, file: file, at: start)
        while names.count < count {
            guard try reader.integer(UInt32.self, "the directory") == 0x0201_4B50 else { throw wrong("entry \(names.count) of its directory") }
            try readEntry(&reader, bytes, wrong)
        }
    }

    private mutating func readEntry(_ reader: inout ByteReader, _ bytes: UnsafeRawBufferPointer, _ wrong: (String) -> WeightsError) throws {
        let what = "the directory"
        _ = try reader.integer(UInt32.self, what)  // versions
        let flags = try reader.integer(UInt16.self, what)
        let method = try reader.integer(UInt16.self, what)
        _ = try reader.take(8, what)  // time, checksum
        let packed = try reader.size(UInt32.self, what)
        var size = try reader.size(UInt32.self, what)
        let nameLength = try reader.size(UInt16.self, what)
        let extraLength = try reader.size(UInt16.self, what)
        let commentLength = try reader.size(UInt16.self, what)
        _ = try reader.take(8, what)  // disk, attributes
        var place = try reader.size(UInt32.self, what)
        let name = try reader.text(nameLength, "a name in the directory")
        var extra = ByteReader(try reader.take(extraLength, what), file: reader.file)
        _ = try reader.take(commentLength, what)
        let isWide = (size: size == 0xFFFF_FFFF, packed: packed == 0xFFFF_FFFF, place: place == 0xFFFF_FFFF)
        while extra.rest >= 4 {
            let kind = try extra.integer(UInt16.self, what)
            var field = ByteReader(try extra.take(Int(extra.integer(UInt16.self, what)), what), file: reader.file)
            guard kind == 1 else { continue }  // 64-bit sizes, of those that do not fit into 32
            if isWide.size { size = try field.size(UInt64.self, what) }
            if isWide.packed { _ = try field.integer(UInt64.self, what) }
            if isWide.place { place = try field.size(UInt64.self, what) }
        }
        guard method == 0 else {
            throw WeightsError("\(reader.file): the entry \(name.quoted) is compressed; torch.save writes its entries as they are")
        }
        guard flags & 1 == 0 else { throw WeightsError("\(reader.file): the entry \(name.quoted) is encrypted") }
        guard place <= bytes.count - 30, bytes[place..<place + 4].elementsEqual([0x50, 0x4B, 0x03, 0x04]) else {
            throw wrong("the entry \(name.quoted) is not at byte \(place)")
        }
        var local = ByteReader(bytes, file: reader.file, at: place + 26)
        let start = place + 30 + Int(try local.integer(UInt16.self, what)) + Int(try local.integer(UInt16.self, what))
        guard start <= bytes.count, size <= bytes.count - start else { throw wrong("the entry \(name.quoted) goes on past the end") }
        guard entries.updateValue(start..<start + size, forKey: name) == nil else { throw wrong("the entry \(name.quoted) is there twice") }
        names.append(name)
    }
}
