public import YuyanTensor

/// The non-linearity of a feed-forward layer, under the name that Hugging Face configurations use.
public enum Activation: String, Codable, Sendable, CaseIterable {
    /// GELU with tanh (GPT-2).
    case geluNew = "gelu_new"
    /// The same function under the name of PyTorch.
    case geluTanh = "gelu_pytorch_tanh"
    /// GELU with the error function.
    case gelu
    case relu
    case silu

    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        switch self {
        case .geluNew, .geluTanh: try x.geluTanh()
        case .gelu: try x.gelu()
        case .relu: try x.relu()
        case .silu: try x.silu()
        }
    }

    /// activation(x)·factor.
    func gated(_ x: Tensor, _ factor: Tensor) throws -> Tensor { try self == .silu ? x.siluGated(factor) : self(x) * factor }
}
