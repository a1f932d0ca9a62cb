import Foundation
import Synchronization

/// Ctrl-C as a flag that long work looks at: the first one asks to save and stop, the second ends the program at once.
public enum Interrupt {
    private static let count = Atomic<Int>(0)

    /// Whether the user has asked to stop.
    public static var requested: Bool { count.load(ordering: .relaxed) > 0 }

    /// Starts to listen to SIGINT and SIGTERM, or begins anew. Only for work that looks at `requested`: any other ends at the first Ctrl-C.
    public static func listen() {
        count.store(0, ordering: .relaxed)  // also makes the global, before a signal can come
        signal(SIGINT, receive)
        signal(SIGTERM, receive)
    }

    /// Gives the signals back to the system: Ctrl-C ends the program.
    public static func stopListening() {
        count.store(0, ordering: .relaxed)
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
    }

    /// Only calls that are safe inside a signal handler.
    private static let receive: @convention(c) (Int32) -> Void = { number in
        if Interrupt.count.add(1, ordering: .relaxed).oldValue > 0 {
            signal(number, SIG_DFL)
            raise(number)  // delivered when this handler returns
            return
        }
        let message: StaticString = "\nstopping as soon as the work is saved; Ctrl-C again ends at once\n"
        // On a terminal the cursor stands behind a bar and a ^C.
        let skipped = isatty(2) == 1 ? 0 : 1
        _ = write(2, message.utf8Start + skipped, message.utf8CodeUnitCount - skipped)
    }

    /// Throws when the user has asked to stop; `saved` says what is kept.
    public static func check(saved: @autoclosure () -> String = "stopped") throws {
        if requested { throw Interrupted(saved: saved()) }
    }
}
