/// The exact percentiles of some values: for each of `percents` (0…100) the value below which so many per cent of them lie, interpolated
/// linearly between the two nearest ranks (Hyndman and Fan, "Sample quantiles in statistical packages", 1996, type 7). A band that keeps
/// what lies between the 5th and the 95th is `percentiles(of: values, at: [5, 95])`. Without values there are no percentiles: the result
/// is empty. Traps on values that are not numbers.
public func percentiles(of values: [Double], at percents: [Double]) -> [Double] {
    precondition(percents.allSatisfy { (0...100).contains($0) }, "percentiles lie between 0 and 100, not at \(percents)")
    precondition(values.allSatisfy { !$0.isNaN }, "percentiles are taken of numbers")
    guard !values.isEmpty else { return [] }
    let sorted = values.sorted()
    return percents.map { percent in
        let rank = percent / 100 * Double(sorted.count - 1)
        let below = Int(rank)
        let part = rank - Double(below)
        // No arithmetic where none is needed: infinities stay what they are.
        return part == 0 ? sorted[below] : sorted[below] * (1 - part) + sorted[below + 1] * part
    }
}
