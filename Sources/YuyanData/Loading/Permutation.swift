/// A seeded permutation of `0..<count` that takes no memory: a Feistel network on the smallest even number of bits that holds
/// `count`, walked along its cycle until it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
struct Permutation: Sendable {
    private let count: UInt64
    private let halfBits: UInt64
    private let keys: [UInt64]

    init(count: Int, seed: UInt64, epoch: Int) {
        precondition(count > 0, "a permutation of nothing")
        self.count = UInt64(count)
        var bits: UInt64 = 1
        while 1 << (2 * bits) < self.count { bits += 1 }
        halfBits = bits
        var random = SeededRandom(seed: seed, UInt64(epoch))
        keys = (0..<8).map { _ in random.next() }
    }

    /// The image of `index`.
    subscript(index: Int) -> Int {
        precondition(index >= 0 && index < Int(count), "\(index) is outside a permutation of \(count)")
        var value = UInt64(index)
        repeat { value = encrypt(value) } while value >= count
        return Int(value)
    }

    private func encrypt(_ value: UInt64) -> UInt64 {
        let mask: UInt64 = 1 << halfBits - 1
        var (left, right) = (value >> halfBits, value & mask)
        for key in keys { (left, right) = (right, left ^ (mix(right ^ key) & mask)) }
        return left << halfBits | right
    }
}
