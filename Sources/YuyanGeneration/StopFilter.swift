/// Lets text through up to the first stop text, and holds back what may become the beginning of one.
///
/// Works on UTF-8 bytes. Text and stop texts are whole scalars, and no scalar's bytes begin inside another's, so a match of bytes is a match of
/// scalars.
struct StopFilter: Sendable {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var isStopped = false

    init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) } }

    /// The text that can be shown now.
    mutating func append(_ text: String) -> String {
        if stops.isEmpty || isStopped { return isStopped ? "" : text }
        held += text.utf8
        if let end = stops.compactMap({ position(of: $0) }).min() {
            isStopped = true
            return String(decoding: held[..<end], as: UTF8.self)
        }
        let keep = stops.map { overlap(with: $0) }.max() ?? 0
        defer { held.removeFirst(held.count - keep) }
        return String(decoding: held.dropLast(keep), as: UTF8.self)
    }

    /// What was held back for nothing.
    mutating func finish() -> String {
        defer { held = [] }
        return isStopped ? "" : String(decoding: held, as: UTF8.self)
    }

    private func position(of stop: [UInt8]) -> Int? {
        guard held.count >= stop.count else { return nil }
        return (0...held.count - stop.count).first { held[$0..<$0 + stop.count].elementsEqual(stop) }
    }

    /// The length of the longest end of `held` that `stop` begins with.
    private func overlap(with stop: [UInt8]) -> Int {
        (0..<stop.count).last { $0 <= held.count && held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }
}
