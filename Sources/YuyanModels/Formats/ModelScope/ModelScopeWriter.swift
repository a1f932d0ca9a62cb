public import Foundation
public import YuyanTensor

extension GPT {
    /// Writes the model as ModelScope keeps its Chinese GPT-3: `config.json`, `configuration.json` and the weights. The folder is made if needed.
    ///
    /// - Parameters:
    ///   - end: the token that ends a text (`eod_id`).
    ///   - dtype: what the weights are stored in; nil: as they are.
    /// - Throws: `WeightsError` for a model that the layout cannot hold, or that cannot be divided among so many ranks.
    public func save(asModelScope layout: ModelScopeLayout, to folder: URL, end: Int?, dtype: DType? = nil) throws {
        try requireWideMatrices(of: self)
        let c = configuration
        let ranks: Int
        switch layout {
        case .whole:
            ranks = 1
            guard c.activation == .gelu, c.innerWidth == 4 * c.width else {
                throw WeightsError(
                    "ModelScope's layout of one file has GELU with the error function and inner layers of 4·width, this model \(c.activation.rawValue) and \(c.innerWidth) for \(c.width); the layout of parts has room for it"
                )
            }
        case .parts(let count):
            ranks = count
            guard c.activation != .relu, c.activation != .silu else {
                throw WeightsError("ModelScope's GPT-3 computes GELU, this model \(c.activation.rawValue)")
            }
            guard count > 0, c.heads % count == 0, c.vocabularySize % count == 0, c.innerWidth % count == 0 else {
                let possible = (1...c.heads).filter { c.heads % $0 == 0 && c.vocabularySize % $0 == 0 && c.innerWidth % $0 == 0 }
                throw WeightsError(
                    "\(c.heads) heads and a vocabulary of \(c.vocabularySize) cannot be divided into \(count) parts; \(possible.map(String.init).joined(separator: ", ")) are possible"
                )
            }
        }
        let stored = dtype ?? self.dtype
        let weights = layout == .whole ? folder : folder.appending(path: "model")
        try FileManager.default.createDirectory(at: weights, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(ModelScopeConfiguration(c, end: end, dtype: stored)).write(to: folder.appending(path: "config.json"), options: .atomic)
        let json = Self.pipeline(isWhole: layout == .whole, ranks: ranks)
        try JSONSerialization.data(withJSONObject: json, options: [.prettyPrinted, .sortedKeys])
            .write(to: folder.appending(path: "configuration.json"), options: .atomic)
        for rank in 0..<ranks {
            let tensors = try part(rank, of: ranks, layout, stored)
            if layout == .whole {
                try writeTorchFile(tensors, to: weights.appending(path: Weights.torchName))
            } else {
                try writeTorchFile(tensors, to: weights.appending(path: ModelScopeLayout.partName(rank)), under: "module")
            }
        }
        try removeParts(beyond: layout == .whole ? 0 : ranks, in: folder.appending(path: "model"))
    }

    /// What one rank keeps.
    private func part(_ rank: Int, of ranks: Int, _ layout: ModelScopeLayout, _ dtype: DType) throws -> [(name: String, value: Tensor)] {
        let own = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.value) })
        return try layout.places(layers: configuration.layers).map { place in
            guard var value = own[place.name] else { preconditionFailure("a GPT has no \(place.name)") }
            if place.isQueryKeyValue, layout != .whole { value = try value.interleavingHeads(configuration.heads) }
            if place.division != .none {
                let axis = place.division == .rows ? 0 : 1
                let length = value.size(axis) / ranks
                value = try value.narrow(axis, start: rank * length, length: length)
            }
            return (place.stored, try value.to(dtype))
        }
    }

    /// `configuration.json`: what ModelScope runs the model with.
    private static func pipeline(isWhole: Bool, ranks: Int) -> [String: any Sendable] {
        var json: [String: any Sendable] = [
            "framework": "pytorch", "task": "text-generation", "model": ["type": "gpt3"],
            "pipeline": ["type": isWhole ? "text-generation" : "gpt3-generation"],
        ]
        if !isWhole {
            json["megatron"] = [
                "checkpoint_tensor_model_parallel_size": ranks, "tensor_model_parallel_size": ranks, "world_size": ranks,
            ]
        }
        return json
    }

    /// Parts of an earlier division would be read with the new ones.
    private func removeParts(beyond ranks: Int, in folder: URL) throws {
        let kept = Set((0..<ranks).map(ModelScopeLayout.partName))
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
            guard !kept.contains(name), name.wholeMatch(of: /mp_rank_\d{2,}_model_states\.pt/) != nil else { continue }
            let file = folder.appending(path: name)
            guard unlink(file.path) == 0 else { throw WeightsError.system("remove the older", file) }
        }
    }
}
