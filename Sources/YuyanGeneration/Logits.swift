import YuyanTensor

/// What follows places in texts: float32 logits [places, vocabulary] on the host, with the ln Σ e^logit that makes them log-probabilities.
@Engine struct Logits {
    private let tensor: Tensor
    private let logSums: [Float]

    /// Throws `GenerationError` for numbers that are not finite.
    init(_ tensor: Tensor) throws {
        (self.tensor, logSums) = (tensor, try tensor.logSumExp(along: -1).array(Float.self))
        guard logSums.allSatisfy(\.isFinite) else {
            throw GenerationError("The model answers with numbers that are not finite; its weights or its dtype are at fault.")
        }
    }

    var count: Int { logSums.count }

    func withRow<Result>(_ row: Int, _ body: (_ logits: UnsafeBufferPointer<Float>, _ logSum: Float) throws -> Result) rethrows -> Result {
        try tensor.withBytes { bytes in
            let all = UnsafeBufferPointer(bytes.bindMemory(to: Float.self))
            let vocabulary = all.count / logSums.count
            return try body(UnsafeBufferPointer(rebasing: all[row * vocabulary..<(row + 1) * vocabulary]), logSums[row])
        }
    }
}
