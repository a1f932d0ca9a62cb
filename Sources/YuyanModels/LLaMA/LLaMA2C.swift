public import Foundation
public import YuyanTensor

extension LLaMA {
    /// A model in the file of llama2.c (the layout without version): seven int32 (width, feed-forward width, layers, heads, heads of keys and values, vocabulary,
    /// negative where the output matrix is not the embedding, context), then float32 matrices one after the other. Its rotary positions turn neighbours, ours
    /// halves, so the rows of queries and keys change places.
    ///
    /// Throws `WeightsError` for a file that does not hold just what its head says.
    public convenience init(llama2c file: URL, dtype: DType = .float32, device: Device = .cpu) throws {
        let mapped: MappedFile
        do { mapped = try MappedFile(file) } catch { throw WeightsError("\(file.path): cannot read it (\(error))") }
        guard mapped.bytes.count >= 28 else {
            throw WeightsError("\(file.path): a file of llama2.c begins with 28 bytes, this one has \(mapped.bytes.count)")
        }
        let head = (0..<7).map { Int(Int32(littleEndian: mapped.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))) }
        let (width, inner, layers, heads, groups, words, context) = (head[0], head[1], head[2], head[3], head[4], abs(head[5]), head[6])
        guard head.dropLast(2).allSatisfy({ 1..<1 << 20 ~= $0 }), 1..<1 << 24 ~= words, 1..<1 << 24 ~= context, width % heads == 0,
            heads % groups == 0,
            width / heads % 2 == 0
        else { throw WeightsError("\(file.path): not a file of llama2.c: its head says \(head)") }
        let (headWidth, isTied) = (width / heads, head[5] > 0)
        let keys = groups * headWidth
        var offset = 28
        func next(_ shape: Int...) throws -> Tensor {
            defer { offset += 4 * shape.reduce(1, *) }
            guard offset + 4 * shape.reduce(1, *) <= mapped.bytes.count else {
                throw WeightsError("\(file.path): the file is cut off: it should go on at byte \(offset) with \(shape) numbers")
            }
            return try Tensor(over: mapped, offset: offset, shape: shape, dtype: .float32)
        }
        /// Rows 0, 2, 4, … of each head to its first half, 1, 3, 5, … to its second.
        func halves(_ x: Tensor, _ heads: Int) throws -> Tensor {
            try x.reshape(heads, headWidth / 2, 2, width).transpose(1, 2).reshape(heads * headWidth, width)
        }
        var weights: [String: Tensor] = ["model.embed_tokens.weight": try next(words, width)]
        func layered(_ name: String, _ tensor: Tensor, _ change: (Tensor) throws -> Tensor = { $0 }) throws {
            for layer in 0..<layers { weights["model.layers.\(layer).\(name).weight"] = try change(tensor.select(0, layer)) }
        }
        try layered("input_layernorm", next(layers, width))
        try layered("self_attn.q_proj", next(layers, width, width)) { try halves($0, heads) }
        try layered("self_attn.k_proj", next(layers, keys, width)) { try halves($0, groups) }
        try layered("self_attn.v_proj", next(layers, keys, width))
        try layered("self_attn.o_proj", next(layers, width, width))
        try layered("post_attention_layernorm", next(layers, width))
        try layered("mlp.gate_proj", next(layers, inner, width))
        try layered("mlp.down_proj", next(layers, width, inner))
        try layered("mlp.up_proj", next(layers, inner, width))
        weights["model.norm.weight"] = try next(width)
        _ = try (next(context, headWidth / 2), next(context, headWidth / 2))  // tables of angles, which are computed anew
        if !isTied { weights["lm_head.weight"] = try next(words, width) }
        guard offset == mapped.bytes.count else {
            throw WeightsError("\(file.path): \(mapped.bytes.count - offset) bytes follow the last matrix; it should end at byte \(offset)")
        }
        var configuration = LLaMAConfiguration(
            vocabularySize: words, width: width, feedForwardWidth: inner, layers: layers, heads: heads, groups: groups, contextLength: context,
            tiesEmbedding: isTied)
        configuration.normEpsilon = 1e-5
        try self.init(configuration, ParameterSource(tensors: weights, of: file, dtype: dtype, device: device))
    }
}
