public import YuyanModels
public import YuyanTensor

/// What a training will take of memory, in bytes, from shapes alone: before a weight is read.
///
/// Counted is what the training of this library keeps; the figures of activations are those of a Transformer block whose matrices are given. It may say
/// up to a quarter too much, for adapters of small models more, but hardly too little.
public struct MemoryEstimate: Codable, Sendable, Hashable {
    /// The model's, adapters among them.
    public var weights = 0
    public var gradients = 0
    /// Master weights and moments.
    public var optimizer = 0
    /// What the forward pass keeps for the way back, and what the two have in hand.
    public var activations = 0
    /// The program and its libraries.
    public var program = 350 << 20

    public var total: Int { weights + gradients + optimizer + activations + program }

    /// How a model is trained.
    public struct Method: Sendable, Hashable {
        /// What the model computes in: float32 or bfloat16.
        public var dtype: DType
        /// An adapter in place of the weights.
        public var lora: LoRAConfiguration?
        /// What the matrices under the adapter are kept in.
        public var quantization: Quantization?

        public init(dtype: DType, lora: LoRAConfiguration? = nil, quantization: Quantization? = nil) {
            (self.dtype, self.lora, self.quantization) = (dtype, lora, quantization)
        }
    }

    /// - Parameters:
    ///   - parameters: names and shapes of all weights (`Weights.shapes` of a checkpoint, `shapes` of a model). Matrices whose name has a number are those of
    ///     blocks; the longest side among the others is the vocabulary, the shorter one the width.
    ///   - configuration: its batch, sequence length, optimiser and `recompute` count.
    public init(parameters: [(name: String, shape: [Int])], _ method: Method, _ configuration: TrainingConfiguration) {
        let element = method.dtype.size
        let rows = configuration.microBatch * configuration.sequenceLength
        let matrices = parameters.compactMap { Matrix($0.name, $0.shape) }
        let blocks = Dictionary(grouping: matrices.filter { $0.block != nil }) { $0.block ?? "" }
        let outer = matrices.filter { $0.block == nil }.max { $0.longer < $1.longer }
        let width = outer?.shorter ?? 0

        // Weights, and what training keeps for each that it changes.
        let count = parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }
        let inBlocks = matrices.reduce(0) { $0 + ($1.block == nil ? 0 : $1.count) }
        let adapted = method.lora.map { lora in matrices.filter { $0.block != nil && lora.includes($0.name) } } ?? []
        let adapter = adapted.reduce(0) { $0 + (method.lora?.rank ?? 0) * ($1.shorter + $1.longer) }
        if method.lora != nil {
            // NF4: half a byte, and of each block of 64 one byte and 4/256.
            weights =
                method.quantization == nil ? count * element : Int(Double(inBlocks) * (0.5 + (1 + 4.0 / 256) / 64)) + (count - inBlocks) * element
            weights += adapter * 4
            gradients = adapter * 4
            optimizer = Self.moments(adapter, configuration.optimizer)
        } else {
            let vectors = count - matrices.reduce(0) { $0 + $1.count }
            let accumulates = configuration.batchTokens ?? 0 > rows || configuration.batchRows ?? 0 > configuration.microBatch
            weights = count * element
            gradients = count * element + (accumulates && element < 4 ? count * 4 : 0)
            optimizer = Self.moments(count - vectors, configuration.optimizer) + vectors * 8 + (element < 4 ? count * 4 : 0)
        }

        // A block keeps the input of each matrix and what it gives, and attention its own order of queries, keys, values; an adapter takes its input in float32.
        var largest = 0
        var kept = 0
        for block in blocks.values {
            var perRow = 2 * width * element
            for matrix in block {
                perRow += (matrix.shorter + matrix.longer) * element
                if element < 4, adapted.contains(where: { $0.name == matrix.name }) { perRow += matrix.input * 4 }
            }
            largest = max(largest, rows * perRow)
            kept += configuration.recompute ? rows * width * element : rows * perRow
        }
        // On the way back one block is there (again), with the gradients of its largest parts, and a matrix that is widened.
        let widest = matrices.filter { $0.block != nil }.max { $0.count < $1.count }
        let inHand =
            rows * 3 * (widest?.longer ?? 0) * (method.lora == nil ? element : 4)
            + (method.quantization == nil ? 0 : 2 * (widest?.count ?? 0) * element)
        let vocabulary = outer?.longer ?? 0
        let logits = min(rows, method.lora == nil ? max(512, (128 << 20) / max(vocabulary * element, 1)) : 512) * vocabulary * element
        activations = kept + max(inHand + (configuration.recompute ? largest : 0), 2 * logits)
    }

    /// Bytes of both moments of so many numbers in matrices.
    private static func moments(_ count: Int, _ optimizer: TrainingConfiguration.Optimizer) -> Int {
        switch optimizer {
        case .adamw: count * 8
        case .adamw8Bit: count * 2 + count / 256 * 8
        }
    }

    private struct Matrix {
        /// Without `.weight`.
        let name: String
        let shape: [Int]
        /// What stands before and with the first number of its name: `h.3`.
        let block: String?

        init?(_ name: String, _ shape: [Int]) {
            guard shape.count == 2 else { return nil }
            let parts = name.split(separator: ".")
            (self.name, self.shape) = (name.hasSuffix(".weight") ? String(name.dropLast(7)) : name, shape)
            block = parts.firstIndex { Int($0) != nil }.map { parts[...$0].joined(separator: ".") }
        }

        var count: Int { shape[0] * shape[1] }
        var longer: Int { max(shape[0], shape[1]) }
        var shorter: Int { min(shape[0], shape[1]) }
        /// Whichever way it is stored, the mean of both sides is right over a block.
        var input: Int { (shape[0] + shape[1]) / 2 }
    }
}
