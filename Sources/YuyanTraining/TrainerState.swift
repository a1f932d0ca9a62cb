import Foundation
import YuyanData

/// `trainer/state.json`: everything but tensors that a resumed run needs to go on as if it had not stopped. Dropout masks and the order of the
/// data are functions of the seed and of where the run stands, so there is no other random state.
struct TrainerState: Codable {
    var version = 1
    var step: Int
    var tokens: Int
    var loader: LoaderState
    var lossSpikes: SpikeDetector
    var normSpikes: SpikeDetector
    var stopping: EarlyStopping
    /// What the model computes in.
    var dtype: String
    /// The configuration: each key, in snake case, and its value in JSON.
    var configuration: [String: String]
}

extension TrainingConfiguration {
    /// Each key, in snake case, and its value in JSON; keys without a value are left out.
    var values: [String: String] {
        get throws {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = .sortedKeys
            let object = try JSONSerialization.jsonObject(with: encoder.encode(self)) as? [String: Any] ?? [:]
            return try object.mapValues {
                String(decoding: try JSONSerialization.data(withJSONObject: $0, options: [.fragmentsAllowed, .sortedKeys]), as: UTF8.self)
            }
        }
    }

    /// Keys that do not change what is learnt by a given step.
    private static let free: Set = [
        "recompute", "evaluate_every", "checkpoint_every", "keep_checkpoints", "keep_best", "patience", "sample_prompts",
    ]
    /// Keys that may be raised: the run goes on for longer.
    private static let lengths: Set = ["steps", "tokens", "epochs"]

    /// Refuses to go on, with this configuration, from a run that was made with other `values`.
    func check(resuming saved: [String: String]) throws {
        let now = try values
        // A key that came later had its default.
        let saved = try TrainingConfiguration().values.merging(saved) { $1 }
        for key in Set(saved.keys).union(now.keys).sorted() where !Self.free.contains(key) && saved[key] != now[key] {
            if Self.lengths.contains(key), let before = saved[key].flatMap({ Int($0) }), let after = now[key].flatMap({ Int($0) }), after > before {
                continue
            }
            let (before, after) = (saved[key] ?? "not given", now[key] ?? "not given")
            let way = Self.lengths.contains(key) ? "it can be raised, not lowered or replaced" : "set it back, or begin a new run in another folder"
            throw TrainingError("\(key) was \(before) when this run was saved and is \(after) now: \(way)")
        }
    }
}
