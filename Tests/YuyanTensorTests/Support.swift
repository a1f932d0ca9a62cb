import Testing
import YuyanTensor

/// The largest |a − b|, as a fraction of the largest |b| where that is above 1. Not a number when either has one.
func difference(_ a: Tensor, _ b: Tensor) throws -> Double {
    guard a.shape == b.shape else { return .infinity }
    guard a.count > 0 else { return 0 }
    let expected = try b.detach().to(.float64)
    let largest = try (a.detach().to(.float64) - expected).abs().max().item()
    return try largest / max(1, expected.abs().max().item())
}

func difference(_ a: Tensor, _ b: [Double]) throws -> Double { try difference(a, Tensor(b, shape: a.shape)) }

/// N(0, 1) numbers in float64, always the same for one seed.
func draw(_ shape: [Int], seed: UInt64 = 1) throws -> Tensor { try Generator(seed: seed).normal(shape, dtype: .float64) }

/// Whether backward gives the derivative of Σ body(inputs)·w, for fixed weights w, that central differences find. The inputs are float64.
func expectGradients(
    of inputs: [Tensor], tolerance: Double = 1e-7, sourceLocation: SourceLocation = #_sourceLocation, _ body: ([Tensor]) throws -> Tensor
) throws {
    let weights = try withoutGradient { try draw(body(inputs).shape, seed: 99) }
    func loss(_ inputs: [Tensor]) throws -> Tensor { try (body(inputs) * weights).sum() }

    let leaves = try inputs.map { input in
        let leaf = try input.clone()
        try leaf.setRequiresGradient(true)
        return leaf
    }
    try loss(leaves).backward()
    let step = 1e-5
    for (index, input) in inputs.enumerated() {
        let values = try input.array(Double.self)
        var numeric: [Double] = []
        for element in values.indices {
            func shifted(by distance: Double) throws -> Double {
                var moved = values
                moved[element] += distance
                var copies = inputs
                copies[index] = try Tensor(moved, shape: input.shape)
                return try withoutGradient { try loss(copies).item() }
            }
            try numeric.append((shifted(by: step) - shifted(by: -step)) / (2 * step))
        }
        let gradient = try #require(try leaves[index].gradient, "input \(index) has no gradient", sourceLocation: sourceLocation)
        let apart = try difference(gradient, numeric)
        #expect(apart < tolerance, "input \(index)", sourceLocation: sourceLocation)
    }
}
