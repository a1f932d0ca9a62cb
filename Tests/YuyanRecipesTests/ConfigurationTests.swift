import Foundation
import Testing

@testable import YuyanRecipes

@Suite struct ConfigurationTests {
    private func decode(_ yaml: String) throws -> Everything {
        let given = try Setting.parse(yaml) { .line(file: "r.yaml", $0) }
        return try SettingDecoder.decode(Everything.self, from: Schema(of: Everything.self).fill(given))
    }

    private func flags(_ arguments: String...) throws -> Everything {
        let given = try Flags(arguments, for: Everything.self).given
        return try SettingDecoder.decode(Everything.self, from: Schema(of: Everything.self).fill(given))
    }

    @Test func `what is not given keeps its default`() throws {
        let value = try decode("steps: 7")
        #expect(value.steps == 7)
        #expect(value.color == .red)
        #expect(value.topK == nil)
        #expect(value.optimizer.beta1 == 0.95)
        #expect(value.warmup == nil)
    }

    @Test func `every kind of value is read`() throws {
        let value = try decode(
            """
            steps: 1e6
            top_k: 40
            color: green
            fast: yes
            title: "12"
            stop: [a, b]
            optimizer: {learning_rate: 1e-3}
            warmup: {note: 长}
            sources:
              - {path: x, weight: 2}
              - {path: y}
            weights: {LuXun: 0.5, weekly_news: 2}
            """)
        #expect(value.steps == 1_000_000)
        #expect(value.topK == 40)
        #expect(value.color == .green)
        #expect(value.fast)
        #expect(value.title == "12")
        #expect(value.stop == ["a", "b"])
        #expect(value.optimizer.learningRate == 1e-3)
        #expect(value.optimizer.beta1 == 0.95, "the owner's default, not the section's own")
        #expect(value.warmup?.note == "长")
        #expect(value.warmup?.beta1 == 0.9)
        #expect(value.sources.map(\.path) == ["x", "y"])
        #expect(value.sources.map(\.weight) == [2, 1])
        #expect(value.weights == ["LuXun": 0.5, "weekly_news": 2])
    }

    @Test func `one value stands for a list of one, null for an optional that is absent`() throws {
        #expect(try decode("stop: 完").stop == ["完"])
        #expect(try decode("top_k: null").topK == nil)
        #expect(try decode("warmup: ~").warmup == nil)
    }

    @Test(arguments: [
        ("step: 1", "r.yaml:1: unknown key \"step\"; did you mean \"steps\"?"),
        ("optimizer:\n  learning_rat: 1", "r.yaml:2: optimizer: unknown key \"learning_rat\"; did you mean \"learning_rate\"?"),
        ("sources:\n- path: x\n- {pat: y}", "r.yaml:3: sources: unknown key \"pat\"; did you mean \"path\"?"),
        ("fast: false\nsteps: abc", "r.yaml:2: steps: expected a whole number, found \"abc\""),
        ("steps: 1.5", "r.yaml:1: steps: expected a whole number, found \"1.5\""),
        ("steps:", "r.yaml:1: steps: expected a whole number, found nothing"),
        ("steps: [1, 2]", "r.yaml:1: steps: expected a whole number, found a list of 2"),
        ("optimizer:\n  learning_rate: abc", "r.yaml:2: optimizer.learning_rate: expected a number, found \"abc\""),
        ("optimizer: {learning_rate: nan}", "r.yaml:1: optimizer.learning_rate: expected a number, found \"nan\""),
        ("optimizer: fast", "r.yaml:1: optimizer: expected keys and values, found \"fast\""),
        ("fast: maybe", "r.yaml:1: fast: expected true or false, found \"maybe\""),
        ("color: blue", "r.yaml:1: color: expected one of red, green, found \"blue\""),
        ("title: [a]", "r.yaml:1: title: expected text, found a list of 1"),
        ("stop: {a: b}", "r.yaml:1: stop: expected a list, found a map with a"),
        ("steps: 1\nsteps: 2", "r.yaml:1: the key steps is given twice in one map"),
        ("steps: [1", "r.yaml:2: this is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence"),
    ])
    func `a wrong value is refused with its place`(yaml: String, expected: String) {
        #expect(sentence { _ = try decode(yaml) } == expected)
    }

    @Test func `flags are the same keys`() throws {
        let value = try flags(
            "--steps", "7", "--top-k=40", "--color", "green", "--fast", "--optimizer.learning-rate", "-1", "--stop", "a", "--stop=--b", "x.txt",
            "--weights.LuXun", "2", "--", "-y.txt")
        #expect(value.steps == 7)
        #expect(value.topK == 40)
        #expect(value.color == .green)
        #expect(value.fast)
        #expect(value.optimizer.learningRate == -1)
        #expect(value.optimizer.beta1 == 0.95)
        #expect(value.stop == ["a", "--b"])
        #expect(value.files == ["x.txt", "-y.txt"])
        #expect(value.weights == ["LuXun": 2])
        #expect(try flags("--no-fast").fast == false)
        #expect(try flags("--top-k", "3", "--no-top-k").topK == nil)
        #expect(try flags("--warmup.note", "a", "--no-warmup").warmup == nil)
    }

    @Test func `the frame's own flags are not keys`() throws {
        let flags = try Flags(["--output", "there", "--json", "--resume"], for: Halfway.self)
        #expect(flags.output == "there")
        #expect(flags.json && flags.isResuming)
        #expect(flags.given.entries?.isEmpty == true)
    }

    @Test(arguments: [
        (["--step", "1"], "unknown option --step; did you mean --steps?"),
        (["--resume"], "unknown option --resume; did you mean --fast?"),
        (["--steps"], "--steps needs a value (a value that begins with -- is written --steps=VALUE)"),
        (["--steps", "--fast"], "--steps needs a value (a value that begins with -- is written --steps=VALUE)"),
        (["--steps", "abc"], "--steps: expected a whole number, found \"abc\""),
        (["--fast=7"], "--fast: expected true or false, found \"7\""),
        (["--no-steps"], "--no-steps: only an option that is true or false can be negated"),
        (["--optimizer", "x"], "--optimizer is a group of options: --optimizer.learning-rate, --optimizer.beta1, --optimizer.note"),
    ])
    func `a wrong flag is refused`(arguments: [String], expected: String) {
        let result = sentence {
            let given = try Flags(arguments, for: Everything.self).given
            _ = try SettingDecoder.decode(Everything.self, from: Schema(of: Everything.self).fill(given))
        }
        #expect(result == expected)
    }

    @Test func `a list takes several values where no argument stands without a flag`() throws {
        struct Lists: TaskConfiguration {
            static let task = "lists"
            static let summary = ""
            static let help: [String: String] = [:]
            var names: [String] = []
            var sizes: [Int] = []
            func run(in stage: StageContext) async throws -> [String] { names }
        }
        let given = try Flags(["--names", "a", "b", "--sizes", "1", "2", "--names", "c"], for: Lists.self).given
        let value = try SettingDecoder.decode(Lists.self, from: Schema(of: Lists.self).fill(given))
        #expect(value.names == ["a", "b", "c"])
        #expect(value.sizes == [1, 2])
    }

    @Test func `help names keys, kinds and defaults`() {
        let help = Flags.help(for: Everything.self, command: "yuyan everything")
        #expect(help.contains("USAGE: yuyan everything [options] [<files> ...]"))
        #expect(help.contains("--steps <count>"))
        #expect(help.contains("how many (default: 100)"))
        #expect(help.contains("--color red|green"))
        #expect(help.contains("--optimizer.learning-rate <number>"))
        #expect(help.contains("first moment (default: 0.95)"))
    }

    @Test func `a configuration written as YAML reads back the same`() throws {
        var value = Everything()
        value.title = "true"
        value.stop = ["#", "- 你好", "", "a: b", "多\n行"]
        value.weights = ["A_b": 0.1]
        value.warmup = Inner()
        let text = SettingEncoder.encode(value).yaml
        #expect(text.contains("learning_rate: 0.0003"))
        let back = try decode(text)
        #expect(back.title == "true")
        #expect(back.stop == value.stop)
        #expect(back.weights == value.weights)
        #expect(SettingEncoder.encode(back).yaml == text)
    }

    @Test func `inputs that are not there are refused before the task runs`() throws {
        let given = try Setting.parse("files: [nowhere.txt]") { .line(file: "r.yaml", $0) }
        #expect(
            sentence { _ = try PreparedTask.prepare(Everything.self, from: given) } == "r.yaml:1: files: there is no file or folder \"nowhere.txt\"")
    }

    @Test func `a value that the task refuses is named by its flag or line`() throws {
        let given = try Setting.parse("fast: true\nsteps: 0") { .line(file: "r.yaml", $0) }
        #expect(sentence { _ = try PreparedTask.prepare(Everything.self, from: given) } == "r.yaml:2: steps: must be above 0, found 0")
        let flags = try Flags(["--steps", "0"], for: Everything.self).given
        #expect(sentence { _ = try PreparedTask.prepare(Everything.self, from: flags) } == "--steps: must be above 0, found 0")
    }

    @Test func `every key of the tasks has its help, and every help its key`() {
        for task in TaskRegistry.standard.tasks + [TokenizeBenchmark.self] {
            let leaves = Schema(of: task).leaves()
            for leaf in leaves { #expect(!leaf.help.isEmpty, "\(task.task): \(leaf.path.joined(separator: "."))") }
            for key in task.help.keys { #expect(Schema(of: task)[key] != nil, "\(task.task): \(key)") }
            for key in task.required + [task.positional].compactMap(\.self) { #expect(Schema(of: task)[key] != nil, "\(task.task): \(key)") }
            for key in ["name", "task", "output", "json", "help", "resume"] {
                #expect(Schema(of: task)[key] == nil, "\(task.task): \(key) is the frame's")
            }
        }
    }

    @Test func `neighbours that changed places are one mistake`() {
        #expect(Suggestion.distance("setps", "steps") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("学习率", "学率") == 1)
    }
}
