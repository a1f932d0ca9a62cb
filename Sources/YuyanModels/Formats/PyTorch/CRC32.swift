/// The checksum of zip archives: the reflected polynomial 0xEDB88320, eight bytes at a time (Kounavis & Berry 2005).
struct CRC32 {
    private var value: UInt32 = 0xFFFF_FFFF

    /// Table k, row b: what byte b becomes with k bytes after it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        for row in 256..<8 * 256 { tables[row] = tables[row - 256] >> 8 ^ tables[Int(tables[row - 256] & 0xFF)] }
        return tables
    }()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        Self.tables.withUnsafeBufferPointer { table in
            var crc = value
            var place = 0
            while place + 8 <= bytes.count {
                let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))
                crc = table[7 * 256 + Int(low & 0xFF)] ^ table[6 * 256 + Int(low >> 8 & 0xFF)] ^ table[5 * 256 + Int(low >> 16 & 0xFF)]
                crc ^= table[4 * 256 + Int(low >> 24)] ^ table[3 * 256 + Int(high & 0xFF)] ^ table[2 * 256 + Int(high >> 8 & 0xFF)]
                crc ^= table[256 + Int(high >> 16 & 0xFF)] ^ table[Int(high >> 24)]
                place += 8
            }
            for byte in bytes[place...] { crc = crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
            value = crc
        }
    }

    var checksum: UInt32 { ~value }

    static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32()
        crc.update(bytes)
        return crc.checksum
    }
}
