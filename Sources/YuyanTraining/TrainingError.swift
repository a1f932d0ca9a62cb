/// Why a run cannot start, go on or save: one sentence.
public struct TrainingError: Error, CustomStringConvertible, Sendable, Hashable {
    public let description: String

    init(_ description: String) { self.description = description }
}
