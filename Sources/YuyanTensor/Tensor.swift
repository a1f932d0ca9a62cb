internal import CTorch
import Foundation

/// An n-dimensional array of libtorch.
///
/// A value that shares its memory when copied, as in PyTorch: operations make new tensors, methods whose names end in `InPlace` and
/// `copy(from:)` write into this one. Not `Sendable`: a tensor stays on the `Engine`'s thread.
///
/// Operations throw `TensorError.outOfMemory` and nothing else; operands that do not fit trap with the operation and all shapes.
public struct Tensor {
    let storage: Storage

    /// Owns one reference of libtorch's count.
    final class Storage {
        let handle: yy_tensor
        init(_ handle: yy_tensor) { self.handle = handle }
        deinit { yy_release(handle) }
    }

    init(owning handle: yy_tensor) { storage = Storage(handle) }

    var handle: yy_tensor { storage.handle }

    // MARK: What it is

    public var rank: Int { Int(yy_rank(handle)) }
    public var shape: [Int] { (0..<yy_rank(handle)).map { Int(yy_size(handle, $0)) } }
    /// The extent of one dimension; negative ones count from the end.
    public func size(_ dimension: Int) -> Int {
        precondition(dimension < rank && dimension >= -rank, "size(\(dimension)) of a tensor of shape \(shape)")
        return Int(yy_size(handle, Int32(dimension)))
    }
    /// The number of elements.
    public var count: Int { Int(yy_count(handle)) }
    public var dtype: DType { DType(rawValue: Int32(yy_dtype_of(handle).rawValue)) ?? { preconditionFailure("an unknown dtype") }() }
    public var device: Device { yy_cuda_of(handle) < 0 ? .cpu : .cuda(Int(yy_cuda_of(handle))) }
    public var isContiguous: Bool { yy_is_contiguous(handle) }

    // MARK: Making tensors

    public static func empty(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try make("empty") { yy_empty(shape.sizes, shape.rank, options(dtype, device), $0) }
    }

    public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try make("full") { yy_full(shape.sizes, shape.rank, value, options(dtype, device), $0) }
    }

    public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try full(shape, 0, dtype: dtype, device: device)
    }

    public static func ones(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try full(shape, 1, dtype: dtype, device: device)
    }

    /// start, start + step, ... below end.
    public static func arange(_ start: Int, _ end: Int, step: Int = 1, dtype: DType = .int64, device: Device = .cpu) throws -> Tensor {
        try make("arange") { yy_arange(Double(start), Double(end), Double(step), options(dtype, device), $0) }
    }

    /// A copy of host values in row-major order.
    public init<Element: TensorElement>(_ values: [Element], shape: [Int]? = nil, device: Device = .cpu) throws {
        let shape = shape ?? [values.count]
        precondition(shape.reduce(1, *) == values.count, "\(values.count) values cannot fill shape \(shape)")
        self = try values.withUnsafeBytes { bytes in
            try Self.make("init") { yy_from_host(bytes.baseAddress, bytes.count, shape.sizes, shape.rank, Self.options(Element.dtype, device), $0) }
        }
    }

    public init(_ value: Double, dtype: DType = .float32, device: Device = .cpu) throws {
        self = try Tensor.full([], value, dtype: dtype, device: device)
    }

    /// A tensor over the bytes of `owner` from `offset` on, without copying: `owner` lives as long as any view of them.
    public init(over owner: MappedFile, offset: Int, shape: [Int], dtype: DType) throws {
        precondition(offset >= 0 && offset + shape.reduce(1, *) * dtype.size <= owner.bytes.count, "a tensor past the end of \(owner.url.path)")
        let context = Unmanaged.passRetained(owner).toOpaque()
        let start = UnsafeMutableRawPointer(mutating: owner.bytes.baseAddress?.advanced(by: offset))
        self = try Self.make("init") {
            yy_borrow(start, shape.sizes, shape.rank, dtype.code, context, { Unmanaged<MappedFile>.fromOpaque($0!).release() }, $0)
        }
    }

    // MARK: Reading values

    /// All elements in row-major order, converted to `Element`.
    public func array<Element: TensorElement>(_ type: Element.Type = Element.self) throws -> [Element] {
        let host = try to(Element.dtype, device: .cpu).contiguous()
        return [Element](unsafeUninitializedCapacity: host.count) { buffer, count in
            count = host.count
            if count > 0, let source = yy_data(host.handle) {
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(start: source, count: count * host.dtype.size))
            }
        }
    }

    /// The only element.
    public func item() throws -> Double {
        precondition(count == 1, "item() of a tensor of shape \(shape)")
        return try array(Double.self)[0]
    }

    /// The bytes of a contiguous CPU tensor, in place.
    public func withBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(isContiguous && device == .cpu, "withBytes needs a contiguous CPU tensor")
        return try body(UnsafeMutableRawBufferPointer(start: yy_data(handle), count: count * dtype.size))
    }

    // MARK: Changing dtype, device, layout

    public func to(_ dtype: DType? = nil, device: Device? = nil) throws -> Tensor {
        let target = Self.options(dtype ?? self.dtype, device ?? self.device)
        return try Self.make("to", self) { yy_to(handle, target, $0) }
    }

    public func contiguous() throws -> Tensor { try Self.make("contiguous", self) { yy_contiguous(handle, $0) } }
    public func clone() throws -> Tensor { try Self.make("clone", self) { yy_clone(handle, $0) } }

    /// Writes `source`, converted and broadcast, into this tensor's memory.
    public func copy(from source: Tensor) throws { try check(yy_copy_(handle, source.handle), "copy", self, source) }
    public func fillInPlace(_ value: Double) throws { try check(yy_fill_(handle, value), "fillInPlace", self) }
    public func addInPlace(_ source: Tensor, scale: Double = 1) throws {
        try check(yy_add_(handle, source.handle, scale), "addInPlace", self, source)
    }
    public func multiplyInPlace(_ factor: Double) throws { try check(yy_mul_(handle, factor), "multiplyInPlace", self) }

    // MARK: Plumbing

    static func options(_ dtype: DType, _ device: Device) -> yy_options { yy_options(dtype: dtype.code, cuda: device.index) }

    static func make(_ operation: StaticString, _ a: Tensor? = nil, _ b: Tensor? = nil, _ body: (UnsafeMutablePointer<yy_tensor?>) -> yy_status)
        throws
        -> Tensor
    {
        var out: yy_tensor?
        try check(body(&out), operation, a, b)
        guard let out else { preconditionFailure("\(operation) made no tensor") }
        return Tensor(owning: out)
    }
}

extension Tensor: CustomStringConvertible {
    public var description: String { "Tensor\(shape) \(dtype) on \(device)" }
}

extension Array where Element == Int {
    var sizes: [Int64] { map(Int64.init) }
    var rank: Int32 { Int32(count) }
}
