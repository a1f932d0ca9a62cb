/// Tokens and their ids, by bytes: Swift's `String` keys compare by canonical equivalence and would merge distinct tokens.
final class Vocabulary: @unchecked Sendable {  // written only while it is built
    /// The largest id plus one.
    private(set) var count = 0
    private var bytes: [UInt8] = []
    private var spans: [Range<Int>?] = []
    private var slots: [Int32] = Array(repeating: -1, count: 1024)
    private var used = 0

    init() {}

    /// Adds a token; a second id for the same bytes is kept for decoding, the first stays the answer for encoding.
    func add(_ token: some Collection<UInt8>, id: Int32) {
        let index = Int(id)
        if index >= count {
            spans.append(contentsOf: repeatElement(nil, count: index + 1 - count))
            count = index + 1
        }
        let start = bytes.count
        bytes.append(contentsOf: token)
        spans[index] = start..<bytes.count
        if used * 2 >= slots.count { grow() }
        insert(id)
    }

    func add(_ token: String, id: Int32) {
        add(Array(token.utf8), id: id)
    }

    /// The token's bytes as the vocabulary writes them; empty for an id without a token.
    subscript(id: Int32) -> ArraySlice<UInt8> {
        guard id >= 0, Int(id) < count, let span = spans[Int(id)] else { return [] }
        return bytes[span]
    }

    func contains(_ id: Int32) -> Bool {
        id >= 0 && Int(id) < count && spans[Int(id)] != nil
    }

    func token(of id: Int32) -> String? {
        contains(id) ? String(decoding: self[id], as: UTF8.self) : nil
    }

    func id(of token: String) -> Int32? {
        var token = token
        return token.withUTF8 { id(of: $0) }
    }

    func id(of token: some Sequence<UInt8>) -> Int32? {
        Array(token).withUnsafeBufferPointer { id(of: $0) }
    }

    func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
        var slot = Int(truncatingIfNeeded: hash(token)) & (slots.count - 1)
        while slots[slot] >= 0 {
            if equal(slots[slot], token) { return slots[slot] }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func equal(_ id: Int32, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let span = spans[Int(id)], span.count == token.count else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            for index in 0..<token.count where bytes[span.lowerBound + index] != token[index] { return false }
            return true
        }
    }

    private func insert(_ id: Int32) {
        guard let span = spans[Int(id)] else { return }
        bytes.withUnsafeBufferPointer { all in
            let token = UnsafeBufferPointer(rebasing: all[span])
            var slot = Int(truncatingIfNeeded: hash(token)) & (slots.count - 1)
            while slots[slot] >= 0 {
                if equal(slots[slot], token) { return }
                slot = (slot + 1) & (slots.count - 1)
            }
            slots[slot] = id
            used += 1
        }
    }

    private func grow() {
        let old = slots
        slots = Array(repeating: -1, count: old.count * 2)
        used = 0
        for id in old where id >= 0 { insert(id) }
    }
}

/// A 64-bit hash of bytes, eight at a time (multiply and fold); the same on every run, since fingerprints and tables rest on it.
@inline(__always)
func hash(_ bytes: UnsafeBufferPointer<UInt8>, seed: UInt64 = 0x9E37_79B9_7F4A_7C15) -> UInt64 {
    var value = seed ^ UInt64(truncatingIfNeeded: bytes.count)
    var index = 0
    let base = UnsafeRawPointer(bytes.baseAddress)
    while index + 8 <= bytes.count, let base {
        value = mixed(value ^ UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
        index += 8
    }
    var tail: UInt64 = 0
    var shift: UInt64 = 0
    while index < bytes.count {
        tail |= UInt64(bytes[index]) << shift
        shift += 8
        index += 1
    }
    return mixed(value ^ tail)
}

@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    let product = (value ^ 0x2D35_8DCC_AA6C_78A5).multipliedFullWidth(by: 0x8BB8_4B93_962E_ACC9)
    return product.high ^ product.low
}
