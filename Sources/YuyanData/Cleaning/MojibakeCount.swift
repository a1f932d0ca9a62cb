extension Mojibake {
    /// How many scalars from `index` on are text in the wrong encoding, where the scalar there may begin such: what `mend` mends, and what nothing can
    /// mend: `锟斤拷` (U+FFFD read as GBK), three or more `烫` or `屯` (fresh memory read as GBK).
    static func length(in scalars: UnsafeBufferPointer<UInt32>, at index: Int) -> Int {
        let value = scalars[index]
        switch value {
        case 0x951F: return index + 2 < scalars.count && scalars[index + 1] == 0x65A4 && scalars[index + 2] == 0x62F7 ? 3 : 0
        case 0x70EB, 0x5C6F:
            guard index == 0 || scalars[index - 1] != value else { return 0 }
            var end = index
            while end < scalars.count, scalars[end] == value { end += 1 }
            return end - index >= 3 ? end - index : 0
        case 0xE3...0xE9, 0xEF:
            guard index + 2 < scalars.count, let second = latinByte(scalars[index + 1]), let third = latinByte(scalars[index + 2]) else { return 0 }
            return second & 0xC0 == 0x80 && third & 0xC0 == 0x80 ? 3 : 0
        default: return 1  // rare characters that are the GBK reading of the most frequent ones
        }
    }
}
