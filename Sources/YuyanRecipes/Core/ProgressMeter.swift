import Foundation
import Synchronization

/// Progress of long work: how far, how fast, how long still. A bar on a terminal, a plain line every ten seconds elsewhere.
public final class ProgressMeter: Sendable {
    private struct State {
        var done: Double
        /// Exponentially smoothed seconds for one unit; nil before the first measurement.
        var secondsPerUnit: Double?
        var lastUpdate: ContinuousClock.Instant
        var lastShown: ContinuousClock.Instant?
        var note = ""
    }

    private let title: String
    private let unit: String
    private let total: Double?
    private let first: Double
    private let console: Console
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private let state: Mutex<State>

    /// A meter that begins at `done` of `total` units; no total where the end is not known. `unit` is the plural: `steps`.
    public init(_ title: String, total: Int?, unit: String, from done: Int = 0, on console: Console = .standard) {
        self.title = title
        self.unit = unit
        self.total = total.map(Double.init)
        first = Double(done)
        self.console = console
        start = clock.now
        state = Mutex(State(done: Double(done), lastUpdate: start))
    }

    /// Tells how many units are done; `note` stands at the end of the line: `loss 3.214, 812 tokens/s`.
    public func update(_ done: Int, note: String = "") {
        let now = clock.now
        let text = state.withLock { state -> String? in
            let units = Double(done) - state.done
            if units > 0 {
                let seconds = state.lastUpdate.duration(to: now).seconds
                // A memory of about ten seconds.
                let weight = 1 - exp(-seconds / 10)
                state.secondsPerUnit = state.secondsPerUnit.map { $0 + weight * (seconds / units - $0) } ?? seconds / units
                state.done = Double(done)
                state.lastUpdate = now
            }
            state.note = note
            let interval = console.isTerminal ? 0.1 : 10
            if let last = state.lastShown, last.duration(to: now).seconds < interval, state.done < total ?? .infinity { return nil }
            state.lastShown = now
            return describe(state)
        }
        if let text { show(text) }
    }

    /// Ends the meter and leaves one line that says what was done in which time.
    public func finish(note: String? = nil) {
        console.draw("")
        let line = state.withLock { state in
            let seconds = start.duration(to: clock.now).seconds
            let tail = note ?? state.note
            return "\(title): \(Self.count(state.done - first)) \(unit) in \(Self.time(seconds))" + (tail.isEmpty ? "" : ", \(tail)")
        }
        console.line(line)
    }

    private func show(_ text: String) {
        if console.isTerminal {
            console.draw(Self.fit(text, console.width - 1))
        } else {
            console.line(text)
        }
    }

    private func describe(_ state: State) -> String {
        var parts: [String] = []
        if let total, total > 0 {
            let share = min(1, state.done / total)
            if console.isTerminal {
                let filled = Int(share * 20)
                parts.append("\(title) " + String(repeating: "█", count: filled) + String(repeating: "░", count: 20 - filled))
            } else {
                parts.append("\(title):")
            }
            parts.append("\(Self.count(state.done))/\(Self.count(total)) \(unit)")
        } else {
            parts.append("\(title): \(Self.count(state.done)) \(unit)")
        }
        if let seconds = state.secondsPerUnit, seconds > 0 {
            parts.append(Self.rate(1 / seconds, unit))
            if let total, state.done < total { parts.append("\(Self.time((total - state.done) * seconds)) left") }
        }
        if !state.note.isEmpty { parts.append(state.note) }
        return parts.joined(separator: "  ")
    }

    private static func rate(_ perSecond: Double, _ unit: String) -> String {
        perSecond < 1
            ? String(format: "%.1f s/%@", 1 / perSecond, unit.hasSuffix("s") ? String(unit.dropLast()) : unit) : "\(count(perSecond)) \(unit)/s"
    }

    /// `12`, `3.5`, `12,345`, `3.4M`.
    static func count(_ value: Double) -> String {
        switch value {
        case ..<10 where value != value.rounded(): String(format: "%.1f", value)
        case ..<10_000_000: grouped(Int(value.rounded()))
        default: String(format: "%.1fM", value / 1e6)
        }
    }

    private static func grouped(_ value: Int) -> String {
        let digits = String(value)
        return String(digits.enumerated().flatMap { index, digit in (digits.count - index).isMultiple(of: 3) && index > 0 ? [",", digit] : [digit] })
    }

    /// `8 s`, `3 min 05 s`, `2 h 14 min`.
    public static func time(_ seconds: Double) -> String {
        guard seconds < 1e9 else { return "long" }
        if seconds < 9.95 { return String(format: "%.1f s", seconds) }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
        return String(format: "%d h %02d min", whole / 3600, whole % 3600 / 60)
    }

    /// The beginning of the text that fits into so many columns; Chinese characters take two.
    static func fit(_ text: String, _ columns: Int) -> String {
        var used = 0
        return String(
            text.prefix { character in
                let isWide = character.unicodeScalars.first.map {
                    (0x1100...0x115F).contains($0.value) || (0x2E80...0xFFDC).contains($0.value) || $0.value >= 0x1F300
                }
                used += isWide == true ? 2 : 1
                return used <= columns
            })
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
