import Foundation
import YuyanTensor

/// A folder of ModelScope's Chinese GPT-3, in either layout (`ModelScopeLayout`).
struct ModelScopeFolder {
    let url: URL
    let configuration: ModelScopeConfiguration
    let layout: ModelScopeLayout
    /// One for each rank.
    private let parts: [any TensorFile]
    /// What stands before `language_model` in every name of the files.
    private let prefix: String

    /// Whether there are weights in the layout of ranks; the other is recognised by its `model_type`.
    static func hasParts(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: "model/\(ModelScopeLayout.partName(0))").path)
    }

    init(_ url: URL, _ configuration: ModelScopeConfiguration) throws {
        (self.url, self.configuration) = (url, configuration)
        parts = try Self.hasParts(url) ? Self.openParts(of: url) : [try Weights(folder: url)]
        let marks = ["language_model.word_embeddings.weight", "language_model.embedding.word_embeddings.weight"]
        guard let found = parts[0].names.first(where: { name in marks.contains { name == $0 || name.hasSuffix(".\($0)") } }) else {
            throw WeightsError("\(parts[0].url.path): not a GPT-3 of ModelScope: there is no tensor \(marks[0]) nor \(marks[1])")
        }
        let isWhole = found.hasSuffix(marks[0])
        layout = isWhole ? .whole : .parts(parts.count)
        prefix = String(found.dropLast(marks[isWhole ? 0 : 1].count))
    }

    private static func openParts(of url: URL) throws -> [any TensorFile] {
        let folder = url.appending(path: "model")
        let names = Set((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
            $0.wholeMatch(of: /mp_rank_\d{2,}_model_states\.pt/) != nil
        }
        return try (0..<names.count).map { rank in
            let name = ModelScopeLayout.partName(rank)
            guard names.contains(name) else {
                throw WeightsError("\(folder.path): \(name) is missing, though there are \(names.count) parts")
            }
            return try TorchFile(folder.appending(path: name))
        }
    }

    /// The dtype of the weights.
    var dtype: DType? { parts[0].names.first.flatMap { parts[0].description(of: $0)?.dtype } }

    /// What gives a tensor by its name and in its shape in a GPT-2 file, parts joined.
    func tensors() throws -> (String) throws -> Tensor? {
        let places = layout.places(layers: configuration.layers)
        let known = Set(places.map { prefix + $0.stored })
        for part in parts {
            if let extra = part.names.first(where: { !known.contains($0) }) {
                throw WeightsError("\(part.url.path): tensor \(extra.quoted) has no place in a GPT-3 of \(configuration.layers) layers")
            }
        }
        let byName = Dictionary(uniqueKeysWithValues: places.map { ($0.name, $0) })
        return { try byName[$0].map(tensor) }
    }

    private func tensor(_ place: ModelScopeLayout.Place) throws -> Tensor {
        var value: Tensor
        if parts.count == 1 || place.division == .none {
            value = try parts[0].tensor(prefix + place.stored)
        } else {
            let pieces = try parts.map { try $0.tensor(prefix + place.stored) }
            let axis = place.division == .rows ? 0 : 1
            guard pieces.allSatisfy({ $0.shape == pieces[0].shape && $0.dtype == pieces[0].dtype && $0.rank > axis }) else {
                throw WeightsError("\(url.path): the parts of tensor \(place.stored) differ in shape: \(pieces.map(\.shape))")
            }
            value = try .concatenate(pieces, along: axis)
        }
        func need(_ rows: Int, orMore: Bool = false) throws {
            guard value.rank > 0, value.size(0) == rows || orMore && value.size(0) > rows else {
                throw WeightsError(
                    "\(url.path): tensor \(place.stored) has shape \(value.shape) in \(parts.count) parts together, \(rows) rows are asked for; is a part missing?"
                )
            }
        }
        if place.name == "wte.weight" {
            try need(configuration.vocabularySize, orMore: true)
            // More rows only make the vocabulary divisible.
            value = try value.narrow(0, start: 0, length: configuration.vocabularySize)
        }
        if place.isQueryKeyValue, layout != .whole {
            try need(3 * configuration.width)
            value = try value.separatingHeads(configuration.heads)
        }
        // GPT asks for its matrices as GPT-2's files have them.
        return place.isMatrix && value.rank == 2 ? try value.transpose(0, 1) : value
    }
}

extension Weights: TensorFile {
    var url: URL { folder }
    func description(of name: String) -> TensorDescription? { entry(name) }
}

extension GPT {
    /// Reads a folder of ModelScope's GPT-3.
    ///
    /// - Parameter newTokens: rows that its embedding gets besides.
    static func load(
        modelScope folder: ModelScopeFolder, dtype: DType?, device: Device, dropout: Double?, newTokens: Int,
        _ adapt: (ParameterSource) throws -> Void
    ) throws -> GPT {
        var configuration = folder.configuration.gpt(folder.layout)
        configuration.vocabularySize += newTokens
        if let dropout { (configuration.residualDropout, configuration.embeddingDropout) = (dropout, dropout) }
        let source = ParameterSource(
            of: folder.url, dtype: dtype ?? folder.dtype ?? .float32, device: device, tensor: try folder.tensors())
        try adapt(source)
        return try GPT(configuration, source)
    }
}
