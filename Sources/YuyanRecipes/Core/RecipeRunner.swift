import Foundation

extension Recipe {
    /// What became of one stage.
    public struct StageReport: Encodable, Sendable {
        /// How the stage came to its end.
        public enum Status: String, Encodable, Sendable {
            /// It ran now.
            case done
            /// It was finished before.
            case skipped
        }
        /// The stage's name.
        public var name: String
        /// The stage's task.
        public var task: String
        /// Whether it ran.
        public var status: Status
        /// Its folder.
        public var output: String
        /// How long it took, in seconds, earlier sittings included.
        public var seconds: Double
    }

    /// Runs the stages in order. A finished stage is skipped unless its configuration, or that of a stage it refers to, has changed.
    ///
    /// From the stage named `start` on, every stage runs again; those before it are used as they are.
    public func run(from start: String? = nil, resumeCommand: String, console: Console = .standard) async throws -> [StageReport] {
        Interrupt.listen()
        let first = try index(of: start)
        try checkBefore(first, console)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try writeWhole(resolved.yaml, to: folder.appendingPathComponent("recipe.yaml"))
        var reports: [StageReport] = []
        for (number, stage) in stages.enumerated().dropFirst(first ?? 0) {
            let title = "[\(number + 1)/\(stages.count)] \(stage.name)"
            let place = stage.folder.url.relativePath
            let marker = stage.folder.marker
            let isSame = marker?.fingerprint == stage.fingerprint
            if isSame, marker?.state == .finished, first == nil {
                console.line("\(title): already done, in \(place)", .faint)
                reports.append(.init(name: stage.name, task: stage.task.type.task, status: .skipped, output: place, seconds: marker?.seconds ?? 0))
                continue
            }
            let isResuming = isSame && marker?.state == .started && stage.task.type.isResumable
            if !isResuming, let aside = try stage.folder.moveAside() {
                if marker?.state == .finished || stage.task.type.isResumable {
                    let reason = isSame ? "runs again" : "its configuration has changed, it runs again"
                    console.line("\(title): \(reason); the earlier results are in \(aside.relativePath)", .faint)
                }
            }
            console.line("\(title): \(isResuming ? "going on" : "starting")", .bold)
            let context = StageContext(
                name: stage.name, output: stage.folder.url, isResuming: isResuming, console: console, resumeCommand: resumeCommand)
            let result: TaskResult
            do {
                result = try await stage.folder.run(stage.task, fingerprint: stage.fingerprint, stage: context)
            } catch let error as Interrupted {
                throw Interrupted(saved: "\(stage.name): \(error)")
            } catch let error as RequestError {
                throw RequestError("stage \(stage.name): \(error)")
            } catch {
                throw StageFailure(stage: stage.name, reason: Outcome.sentence(for: error))
            }
            let seconds = stage.folder.marker?.seconds ?? 0
            for line in result.text.flatMap({ $0.split(separator: "\n") }) { console.line("    \(line)") }
            console.line("\(title): done in \(ProgressMeter.time(seconds))", .green)
            reports.append(.init(name: stage.name, task: stage.task.type.task, status: .done, output: place, seconds: seconds))
            if number + 1 < stages.count {
                try Interrupt.check(saved: "\(stage.name) is finished; go on with: \(resumeCommand)")
            }
        }
        return reports
    }

    private func index(of name: String?) throws -> Int? {
        guard let name else { return nil }
        guard let index = stages.firstIndex(where: { $0.name == name }) else {
            throw RequestError("--from \(name): \(file) has no such stage\(Suggestion.nearest(to: name, among: stages.map(\.name)))")
        }
        return index
    }

    /// Stages that later ones build on must be there before `--from` can leave them out.
    private func checkBefore(_ first: Int?, _ console: Console) throws {
        guard let first else { return }
        let needed = Set(stages.dropFirst(first).flatMap(\.dependencies))
        for stage in stages.prefix(first) where needed.contains(stage.name) {
            guard let marker = stage.folder.marker, marker.state == .finished else {
                throw RequestError("--from \(stages[first].name): the stage \(stage.name) before it has not finished; run the recipe without --from")
            }
            if marker.fingerprint != stage.fingerprint {
                console.warn("\(stage.name) was made with another configuration and is used as it is")
            }
        }
    }
}

/// A stage that failed while it worked.
struct StageFailure: Error, CustomStringConvertible {
    var stage: String
    var reason: String
    var description: String { "stage \(stage): \(reason)" }
}
