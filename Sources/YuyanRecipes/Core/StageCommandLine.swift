import Foundation

/// One task run from flags instead of a recipe.
public enum StageCommandLine {
    /// Reads the flags, runs the task and prints its result. `command` is how the user calls it: `yuyan tokenizer train`.
    public static func run<Task: TaskConfiguration>(
        _ task: Task.Type, command: String, arguments: [String], console: Console = .standard
    ) async throws {
        let flags = try Flags(arguments, for: task)
        guard !flags.help else {
            StandardOutput.write(Flags.help(for: task, command: command))
            return
        }
        let prepared = try PreparedTask.prepare(task, from: flags.given)
        if task.isResumable { Interrupt.listen() }
        let output = URL(fileURLWithPath: flags.output ?? "runs/\(task.task)", isDirectory: true)
        let words = command.split(separator: " ").map(String.init) + arguments.filter { $0 != "--resume" } + ["--resume"]
        let stage = StageContext(
            name: task.task, output: output, isResuming: flags.isResuming, console: console,
            resumeCommand: quoted(words))
        let result: TaskResult
        if task.writesFiles {
            let folder = StageFolder(url: output)
            if task.isResumable { try folder.check(isResuming: flags.isResuming) }
            result = try await folder.run(prepared, fingerprint: StageFolder.fingerprint(prepared, after: []), stage: stage)
        } else {
            result = try await prepared.run(stage)
        }
        for line in flags.json ? result.json : result.text where !line.isEmpty { StandardOutput.line(line) }
    }

    /// The words as one line that a shell reads back.
    public static func quoted(_ words: [String]) -> String { words.map(\.shellQuoted).joined(separator: " ") }
}

extension String {
    /// The word as a shell reads it back.
    var shellQuoted: String {
        let plain = allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,+@%".contains($0) }
        return plain && !isEmpty ? self : "'" + replacing("'", with: "'\\''") + "'"
    }
}
