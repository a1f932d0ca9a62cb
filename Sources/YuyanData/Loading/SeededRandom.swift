/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): small, and the same on every
/// platform and compiler, which `SystemRandomNumberGenerator` and the standard library's `shuffle` do not promise.
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator for one purpose: the numbers in `path` (an epoch, say) give independent ones for the same seed.
    init(seed: UInt64, _ path: UInt64...) {
        state = path.reduce(mix(seed)) { mix($0 &+ mix($1 &+ 1)) }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mix(state)
    }

    /// A whole number in `range`, by multiplication (the bias is below 2⁻³² for ranges of up to 2³²).
    mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next().multipliedFullWidth(by: UInt64(range.count)).high)
    }

    mutating func element<Element>(of list: [Element]) -> Element {
        list[number(in: 0...list.count - 1)]
    }

    /// Fisher–Yates.
    mutating func shuffle<Element>(_ list: inout [Element]) {
        for last in stride(from: list.count - 1, to: 0, by: -1) { list.swapAt(last, number(in: 0...last)) }
    }
}

/// SplitMix64's output function: a bijection of 64-bit numbers that leaves no visible pattern.
func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
}
