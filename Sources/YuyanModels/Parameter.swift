import Foundation
public import YuyanTensor

/// A weight under the name that the Hugging Face checkpoint gives it.
public struct Parameter {
    public let name: String
    /// As the model computes with it: matrices are [out, in].
    public let value: Tensor
    /// Whether the file keeps it as [in, out] (GPT-2's Conv1D).
    public let isTransposed: Bool

    public init(name: String, value: Tensor, isTransposed: Bool = false) { (self.name, self.value, self.isTransposed) = (name, value, isTransposed) }
}

/// A matrix that is rounded for inference, under the name of the weight that it stands for.
public struct QuantizedParameter {
    public let name: String
    public let matrix: QuantizedMatrix

    public init(name: String, matrix: QuantizedMatrix) { (self.name, self.matrix) = (name, matrix) }

    /// What a checkpoint keeps it as.
    var stored: [(name: String, value: Tensor)] { [(Self.codes(name), matrix.codes), (Self.scales(name), matrix.scales)] }

    static func codes(_ name: String) -> String { name + ".codes" }
    static func scales(_ name: String) -> String { name + ".scales" }
}

/// How a new weight starts.
public enum Initial: Sendable {
    case zeros
    case ones
    /// N(0, σ).
    case normal(Double)
}

/// Where a model under construction gets its weights: fresh random numbers or a checkpoint. A model is written once, as its constructor, for both.
public final class ParameterSource {
    private enum Origin {
        case random(Generator)
        case checkpoint(Weights)
        /// A file in another layout, and what gives a tensor of it by the name that the model asks for.
        case other(URL, (String) throws -> Tensor?)
    }

    private let origin: Origin
    public let dtype: DType
    public let device: Device
    /// What has been asked for, in order.
    public private(set) var parameters: [Parameter] = []
    private var asked: Set<String> = []
    /// Some checkpoints put a prefix before every name (`transformer.`), some don't.
    private let prefix: String
    /// The adapter that linear layers get; nil: none.
    public private(set) var adapter: Adapter?
    private var adapterOrigin: AdapterOrigin?
    /// Tensors of the checkpoint that are not for this model, by their names in the file.
    var setAside: Set<String> = []
    private var growth: (rows: Int, generator: Generator)?
    /// What matrices are rounded to for inference; nil: they are not.
    private(set) var integers: IntegerQuantization?
    /// Whether the checkpoint keeps them so.
    private var keepsIntegers = false
    /// Those that have been asked for, in order.
    public private(set) var quantized: [QuantizedParameter] = []

    private enum AdapterOrigin {
        case random(Generator)
        /// The file, and what stands in it before a layer's name.
        case file(SafeTensorsFile, prefix: String)
    }

    /// New weights. The numbers depend on the seed and the order of asking, not on dtype or device.
    public init(seed: UInt64, dtype: DType, device: Device) throws {
        (self.dtype, self.device, prefix) = (dtype, device, "")
        origin = .random(try Generator(seed: seed))
    }

    /// Weights of a checkpoint, every name of which may start with `prefix`.
    public init(_ weights: Weights, prefix: String = "", dtype: DType, device: Device) {
        (self.dtype, self.device) = (dtype, device)
        self.prefix = weights.names.contains { $0.hasPrefix(prefix) } ? prefix : ""
        origin = .checkpoint(weights)
    }

    /// Tensors of a file in another layout: `tensor` gives one by the name that the model asks for, nil where there is none.
    init(of file: URL, dtype: DType, device: Device, tensor: @escaping (String) throws -> Tensor?) {
        (self.dtype, self.device, prefix) = (dtype, device, "")
        origin = .other(file, tensor)
    }

    /// Whether the checkpoint has a weight of this name.
    func holds(_ name: String) -> Bool {
        guard case .checkpoint(let weights) = origin else { return false }
        return weights.names.contains(prefix + name)
    }

    /// Linear layers get a new adapter: A as Kaiming's uniform numbers with a = √5, B zero (peft's), drawn from a seed of their own.
    ///
    /// - Parameter quantization: what the frozen matrices of linear layers are kept in (QLoRA); nil: as they are.
    public func adapt(_ configuration: LoRAConfiguration, quantization: Quantization? = nil, seed: UInt64) throws {
        adapter = Adapter(configuration, quantization: quantization, keepsQuantized: quantization != nil)
        adapterOrigin = .random(try Generator(seed: seed))
    }

    /// Linear layers get the adapter of a folder, made for a model whose checkpoint has this prefix. Where it was trained on quantised matrices they are rounded
    /// alike, which is what it has learnt to work with, but wide unless `keepsQuantized`.
    func adapt(_ folder: AdapterFolder, prefix: String, keepsQuantized: Bool) {
        adapter = Adapter(folder.configuration, quantization: folder.quantization, keepsQuantized: keepsQuantized)
        adapterOrigin = .file(folder.weights, prefix: AdapterFolder.prefix + prefix)
    }

    /// Embeddings of the checkpoint are so many rows short of what the model asks for; those are new.
    func grow(by rows: Int, seed: UInt64) throws { growth = (rows, try Generator(seed: seed)) }

    private func grown(_ stored: Tensor, to expected: [Int], _ initial: Initial) throws -> Tensor {
        guard let growth, case .normal(let deviation) = initial, expected == [stored.size(0) + growth.rows] + stored.shape.dropFirst() else {
            return stored
        }
        let rows = try growth.generator.normal([growth.rows] + stored.shape.dropFirst()) * deviation
        return try .concatenate([stored, rows.to(stored.dtype)])
    }

    /// Matrices are rounded for inference.
    ///
    /// - Parameter stored: whether the checkpoint keeps them so.
    public func quantize(_ scheme: IntegerQuantization, stored: Bool = false) throws {
        guard device == .cpu else { throw WeightsError("matrices of 8 or 4 bits are for the CPU; leave out the quantisation on \(device)") }
        guard dtype == .float32 || dtype == .bfloat16 else {
            throw WeightsError("matrices of 8 or 4 bits are multiplied with float32 or bfloat16, not \(dtype.name)")
        }
        (integers, keepsIntegers) = (scheme, stored)
    }

    /// A and B of the layer `name`, in float32: they are what is trained.
    private func lowRank(_ name: String, _ matrix: Linear.Matrix, _ input: Int, _ output: Int, transposed: Bool) throws -> LowRank? {
        guard let adapter, let adapterOrigin, adapter.configuration.includes(name) else { return nil }
        let rank = adapter.configuration.rank
        let a: Tensor
        let b: Tensor
        switch adapterOrigin {
        case .random(let generator):
            // U(−1/√in, 1/√in): √(6 / ((1 + 5)·in)).
            let bound = 1 / Double(input).squareRoot()
            a = try (generator.uniform([rank, input]) * (2 * bound) - bound).to(.float32, device: device)
            b = try .zeros([output, rank], device: device)
        case .file(let file, let prefix):
            func stored(_ part: String, _ shape: [Int]) throws -> Tensor {
                let value = try file.tensor("\(prefix)\(name).lora_\(part).weight")
                guard value.shape == shape else {
                    throw WeightsError(
                        "\(file.url.path): lora_\(part) of \(name) has shape \(value.shape), this model asks for \(shape); is it the adapter of another model?"
                    )
                }
                return try value.to(.float32, device: device).clone()
            }
            (a, b) = (try stored("A", [rank, input]), try stored("B", [output, rank]))
        }
        return adapter.add(.init(name: name, matrix: matrix, isTransposed: transposed, a: a, b: b))
    }

    /// The weight of this name, which the caller computes with as `shape`.
    public func callAsFunction(_ name: String, shape: [Int], initial: Initial, transposed: Bool = false) throws -> Tensor {
        let stored = try take(name, shape, initial, transposed)
        let value = try stored.to(dtype, device: device).contiguous()
        // What is not as it is needed has been copied, and its pages of the file are not read again.
        if transposed || stored.dtype != dtype || device != .cpu, case .checkpoint(let weights) = origin { weights.release(prefix + name) }
        parameters.append(Parameter(name: name, value: value, isTransposed: transposed))
        return value
    }

    /// A weight as it comes: in the precision and on the device of its origin.
    private func take(_ name: String, _ shape: [Int], _ initial: Initial, _ transposed: Bool) throws -> Tensor {
        asked.insert(name)
        func checked(_ stored: Tensor, named name: String, of place: URL) throws -> Tensor {
            let expected = transposed ? shape.reversed() : shape
            let stored = try grown(stored, to: expected, initial)
            guard stored.shape == expected else {
                throw WeightsError("\(place.path): tensor \(name) has shape \(stored.shape), the configuration asks for \(expected)")
            }
            return try transposed ? stored.transpose(0, 1) : stored
        }
        switch origin {
        case .random(let generator):
            return switch initial {
            case .zeros: try .zeros(shape, dtype: dtype, device: device)
            case .ones: try .ones(shape, dtype: dtype, device: device)
            case .normal(let deviation): try generator.normal(shape) * deviation
            }
        case .checkpoint(let weights): return try checked(weights.tensor(prefix + name), named: prefix + name, of: weights.folder)
        case .other(let file, let tensor):
            guard let stored = try tensor(name) else { throw WeightsError("\(file.path): there is no tensor for \(name)") }
            return try checked(stored, named: name, of: file)
        }
    }

    /// A matrix rounded for inference.
    private func rounded(_ name: String, _ shape: [Int], _ initial: Initial, _ scheme: IntegerQuantization, transposed: Bool) throws -> Linear.Matrix
    {
        let matrix: QuantizedMatrix
        if keepsIntegers, case .checkpoint(let weights) = origin {
            func part(_ name: String, _ expected: [Int], _ dtype: DType) throws -> Tensor {
                asked.insert(name)
                let stored = try weights.tensor(prefix + name)
                guard stored.shape == expected, stored.dtype == dtype else {
                    throw WeightsError(
                        "\(weights.folder.path): tensor \(prefix + name) is \(stored.dtype.name) \(stored.shape), "
                            + "the configuration asks for \(dtype.name) \(expected)")
                }
                return stored
            }
            let shapes = QuantizedMatrix.partShapes(scheme, shape: shape)
            matrix = try QuantizedMatrix(
                codes: part(QuantizedParameter.codes(name), shapes.codes, .uint8),
                scales: part(QuantizedParameter.scales(name), shapes.scales, .float16), scheme, shape: shape)
        } else {
            matrix = try QuantizedMatrix(take(name, shape, initial, transposed), scheme)
            guard try matrix.isFinite else {
                throw WeightsError("\(name) holds numbers that are not finite or too large for float16 scales; it cannot be quantised")
            }
            if case .checkpoint(let weights) = origin { weights.release(prefix + name) }
        }
        quantized.append(QuantizedParameter(name: name, matrix: matrix))
        return .integers(matrix)
    }

    /// A matrix [rows, width] whose rows are looked up, which may also make the logits.
    func table(_ name: String, _ rows: Int, _ width: Int, _ initial: Initial) throws -> Linear.Matrix {
        if let integers { return try rounded(name, [rows, width], initial, integers, transposed: false) }
        return .dense(try self(name, shape: [rows, width], initial: initial))
    }

    /// A matrix of a linear layer: dense, or rounded as inference or the adapter asks.
    private func matrix(_ name: String, _ input: Int, _ output: Int, _ initial: Initial, transposed: Bool) throws -> Linear.Matrix {
        if let integers { return try rounded(name, [output, input], initial, integers, transposed: transposed) }
        guard let adapter, adapter.quantization != nil else {
            return .dense(try self(name, shape: [output, input], initial: initial, transposed: transposed))
        }
        let quantized = try NF4Matrix(take(name, [output, input], initial, transposed).to(device: device))
        guard try quantized.isFinite else { throw WeightsError("\(name) holds numbers that are not finite; it cannot be quantised") }
        if case .checkpoint(let weights) = origin { weights.release(prefix + name) }
        if adapter.keepsQuantized {
            adapter.addQuantized(name, [output, input])
            return .nf4(quantized)
        }
        let value = try quantized.dequantized(dtype)
        parameters.append(Parameter(name: name, value: value, isTransposed: transposed))
        return .dense(value)
    }

    /// The linear layer `name`: its matrix `name.weight`, which starts as N(0, σ), and with `bias` its `name.bias`, which starts as zeros.
    public func linear(
        _ name: String, _ input: Int, _ output: Int, bias: Bool = true, deviation: Double, transposed: Bool = false
    ) throws -> Linear {
        var layer = Linear(
            try matrix("\(name).weight", input, output, .normal(deviation), transposed: transposed),
            bias: bias ? try self("\(name).bias", shape: [output], initial: .zeros) : nil)
        layer.adapter = try lowRank(name, layer.matrix, input, output, transposed: transposed)
        return layer
    }

    /// Refuses tensors of the checkpoint that nothing asked for, other than `ignored` ones, and an adapter that fits no layer, or not all of its own.
    public func finish(ignoring ignored: (String) -> Bool = { _ in false }) throws {
        if let adapter, adapter.layers.isEmpty {
            throw WeightsError("the adapter's targets \(adapter.configuration.targets.joined(separator: ", ")) are no layers of this model")
        }
        if let adapterOrigin, case .file(let file, let prefix) = adapterOrigin, let adapter {
            let used = Set(adapter.parameters.map { prefix + $0.name })
            if let extra = file.names.first(where: { !used.contains($0) }) {
                throw WeightsError("\(file.url.path): tensor \(extra) has no place in this model; is it the adapter of another model?")
            }
        }
        guard case .checkpoint(let weights) = origin else { return }
        let known = Set(asked.map { prefix + $0 })
        if let extra = weights.names.first(where: { !known.contains($0) && !setAside.contains($0) && !ignored($0) }) {
            throw WeightsError("\(weights.folder.path): tensor \(extra) has no place in this model; is config.json the one it was saved with?")
        }
    }
}
