import Foundation
import Synchronization

/// What a person sees while the program works: lines and one progress bar, on standard error. Results go to standard output.
///
/// On a terminal the bar is redrawn in place below the lines; elsewhere it becomes plain lines, one every ten seconds.
public final class Console: Sendable {
    /// The console of this process.
    public static let standard = Console(descriptor: 2)

    /// Whether a person is looking.
    public let isTerminal: Bool
    /// Whether colour is wanted: on a terminal, unless `NO_COLOR` is set.
    public let hasColor: Bool
    private let descriptor: Int32
    /// The bar that is on the screen's last line now.
    private let bar = Mutex("")

    /// A console on a file descriptor.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        hasColor = isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Colours of text.
    public enum Style: String, Sendable {
        case plain = ""
        case bold = "1"
        case faint = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }

    /// The text in a colour, where there is colour.
    public func styled(_ text: String, _ style: Style) -> String {
        hasColor && style != .plain ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Prints one line.
    public func line(_ text: String, _ style: Style = .plain) {
        bar.withLock { bar in
            write(clear(bar) + styled(text, style) + "\n" + bar)
        }
    }

    /// Prints a warning.
    public func warn(_ text: String) {
        line("\(styled("warning:", .yellow)) \(text)")
    }

    /// Prints an error: one sentence.
    public func error(_ error: any Error) {
        line("\(styled(error is Interrupted ? "stopped:" : "error:", .red)) \(Outcome.sentence(for: error))")
    }

    /// Puts a bar on the last line, in place of the one there; empty text removes it.
    func draw(_ text: String) {
        guard isTerminal else { return }
        bar.withLock { bar in
            write(clear(bar) + text)
            bar = text
        }
    }

    /// Columns of the terminal.
    var width: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private func clear(_ bar: String) -> String { bar.isEmpty ? "" : "\r\u{1B}[K" }

    private func write(_ text: String) { StandardOutput.write(text, to: descriptor) }
}

/// Standard output: results only.
public enum StandardOutput {
    /// Prints one line.
    public static func line(_ text: String) { write(text + "\n", to: 1) }

    /// Prints text as it is, at once.
    public static func write(_ text: String) { write(text, to: 1) }

    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    /// Writes all bytes. A reader that has gone away (`| head`) ends the program quietly by SIGPIPE, as it does other tools.
    public static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32 = 1) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
            if written < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(written)
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
