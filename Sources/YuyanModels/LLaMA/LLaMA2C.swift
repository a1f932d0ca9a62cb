import Foundation
import YuyanTensor

/// A model in a file of llama2.c: a head of int32 numbers, then float32 matrices one after the other. Its rotary positions turn neighbours, ours halves, so the
/// rows of queries and keys change places.
struct LLaMA2CFile {
    let url: URL
    let configuration: LLaMAConfiguration
    private let mapped: MappedFile
    private let headBytes: Int
    private let parts: [Part]

    /// A matrix of each layer, which lie together, or one of the whole model; no name: it is not needed.
    private struct Part {
        var name: String?
        var isLayered = true
        var shape: [Int]
    }

    /// The file that a path means: a file `.bin` itself, or the only one of llama2.c in a folder without config.json.
    static func place(in path: URL) -> URL? {
        let files = FileManager.default
        if path.pathExtension == "bin" { return path }
        guard !files.fileExists(atPath: path.appending(path: "config.json").path),
            let inside = try? files.contentsOfDirectory(at: path, includingPropertiesForKeys: nil)
        else { return nil }
        let found = inside.filter { $0.pathExtension == "bin" && (try? LLaMA2CFile($0)) != nil }
        return found.count == 1 ? found[0] : nil
    }

    /// Throws `WeightsError` for a file that does not hold just what its head says.
    ///
    /// Without a version the head is seven numbers: width, feed-forward width, layers, heads, heads of keys and values, vocabulary (negative where the
    /// output matrix is not the embedding), context. Version 1 puts a magic number and the version before them, a byte after them that is 1 where the output
    /// matrix is the embedding, and fills up to 256 bytes.
    init(_ url: URL) throws {
        do { mapped = try MappedFile(url) } catch { throw WeightsError("\(url.path): cannot read it (\(error))") }
        self.url = url
        let bytes = mapped.bytes
        guard bytes.count >= 28 else { throw WeightsError("\(url.path): a file of llama2.c begins with 28 bytes, this one has \(bytes.count)") }
        func number(_ index: Int) -> Int { Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))) }
        let hasVersion = number(0) == 0x616B_3432  // "ak42"
        if hasVersion {
            guard number(1) == 1 else {
                throw WeightsError(
                    "\(url.path): version \(number(1)) of llama2.c's layout is not supported; version 1 and the one without a version are")
            }
            guard bytes.count >= 256 else { throw WeightsError("\(url.path): the head takes 256 bytes, the file has \(bytes.count)") }
        }
        headBytes = hasVersion ? 256 : 28
        let head = (0..<7).map { number($0 + (hasVersion ? 2 : 0)) }
        let (width, inner, layers, heads, groups, words, context) = (head[0], head[1], head[2], head[3], head[4], abs(head[5]), head[6])
        guard 1..<1 << 18 ~= width, 1..<1 << 20 ~= inner, 1..<1 << 12 ~= layers, 1...width ~= heads, 1...heads ~= groups, 1..<1 << 24 ~= words,
            1..<1 << 24 ~= context, width % heads == 0, heads % groups == 0, width / heads % 2 == 0
        else { throw WeightsError("\(url.path): not a file of llama2.c: its head says \(head)") }
        let isTied = hasVersion ? bytes[36] == 1 : head[5] > 0
        configuration = LLaMAConfiguration(
            vocabularySize: words, width: width, feedForwardWidth: inner, layers: layers, heads: heads, groups: groups, contextLength: context,
            tiesEmbedding: isTied)

        let keys = width / heads * groups
        let embedding = Part(name: "model.embed_tokens", isLayered: false, shape: [words, width])
        let (attentionNorm, feedForwardNorm) = (Part(name: "input_layernorm", shape: [width]), Part(name: "post_attention_layernorm", shape: [width]))
        let norm = Part(name: "model.norm", isLayered: false, shape: [width])
        let attention = [
            Part(name: "self_attn.q_proj", shape: [width, width]), Part(name: "self_attn.k_proj", shape: [keys, width]),
            Part(name: "self_attn.v_proj", shape: [keys, width]), Part(name: "self_attn.o_proj", shape: [width, width]),
        ]
        let feedForward = [
            Part(name: "mlp.gate_proj", shape: [inner, width]), Part(name: "mlp.down_proj", shape: [width, inner]),
            Part(name: "mlp.up_proj", shape: [inner, width]),
        ]
        // Cosines and sines, which are computed anew.
        let angles = Part(name: nil, isLayered: false, shape: [2, context, width / heads / 2])
        var parts =
            hasVersion
            ? [attentionNorm, feedForwardNorm, norm, embedding] + attention + feedForward
            : [embedding, attentionNorm] + attention + [feedForwardNorm] + feedForward + [norm, angles]
        if !isTied { parts.append(Part(name: "lm_head", isLayered: false, shape: [words, width])) }
        self.parts = parts
        let expected = headBytes + parts.reduce(0) { $0 + 4 * $1.shape.reduce(1, *) * ($1.isLayered ? layers : 1) }
        guard bytes.count == expected else {
            throw WeightsError("\(url.path): its head promises \(expected) bytes, the file has \(bytes.count); it is cut off or no file of llama2.c")
        }
    }

    /// Under the names that the model asks for.
    func tensors() throws -> [String: Tensor] {
        var weights: [String: Tensor] = [:]
        var offset = headBytes
        for part in parts {
            for layer in 0..<(part.isLayered ? configuration.layers : 1) {
                defer { offset += 4 * part.shape.reduce(1, *) }
                guard let name = part.name else { continue }
                let tensor = try Tensor(over: mapped, offset: offset, shape: part.shape, dtype: .float32)
                weights["\(part.isLayered ? "model.layers.\(layer)." : "")\(name).weight"] = try turned(tensor, name)
            }
        }
        return weights
    }

    /// Rows 0, 2, 4, … of each head to its first half, 1, 3, 5, … to its second.
    private func turned(_ x: Tensor, _ name: String) throws -> Tensor {
        guard name.hasSuffix("q_proj") || name.hasSuffix("k_proj") else { return x }
        return try x.reshape(x.size(0) / configuration.headWidth, configuration.headWidth / 2, 2, x.size(1)).transpose(1, 2).reshape(x.shape)
    }
}
