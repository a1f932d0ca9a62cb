/// Uniform numbers for one sample: SplitMix64 (Steele, Lea and Flood 2014), started from the seed and the sample's place, so that a sample's
/// numbers do not depend on how many others there are.
struct RandomStream: Sendable {
    private var state: UInt64

    init(seed: UInt64, prompt: Int = 0, sample: Int = 0) {
        state = mixed(mixed(mixed(seed) &+ UInt64(prompt)) &+ UInt64(sample))
    }

    /// In [0, 1), with 53 random bits.
    mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Double(mixed(state) >> 11) * 0x1p-53
    }
}

/// SplitMix64's output function.
private func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
