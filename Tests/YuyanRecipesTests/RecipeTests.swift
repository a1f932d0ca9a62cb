import Foundation
import Testing

@testable import YuyanRecipes

@Suite struct RecipeTests {
    private let tasks = TaskRegistry([Everything.self, Write.self, Halfway.self])
    private let console = Console(descriptor: open("/dev/null", O_WRONLY))

    private let chain = """
        name: chain
        parameters:
          word: 天
        stages:
          - name: a
            task: write
            text: ${word}
          - name: b
            task: write
            text: 地
            after: ${a}/out.txt
          - name: c
            task: write
            text: alone
        """

    private func recipe(_ yaml: String, _ scratch: Scratch, set overrides: [String] = []) throws -> Recipe {
        try Recipe(contentsOf: try scratch.write(yaml, to: "r.yaml"), overrides: overrides, runs: scratch.url.path + "/runs", tasks: tasks)
    }

    /// The names of the stages that ran, not skipped.
    @discardableResult
    private func run(_ yaml: String, _ scratch: Scratch, set overrides: [String] = [], from: String? = nil) async throws -> [String] {
        try await recipe(yaml, scratch, set: overrides).run(from: from, resumeCommand: "yuyan run r.yaml", console: console)
            .filter { $0.status == .done }.map(\.name)
    }

    private func refusal(_ yaml: String, set overrides: [String] = []) throws -> String {
        let scratch = try Scratch()
        return sentence { _ = try recipe(yaml, scratch, set: overrides) }.replacing(scratch.url.path + "/", with: "")
    }

    @Test func `stages use parameters and what earlier stages made`() async throws {
        let scratch = try Scratch()
        #expect(try await run(chain, scratch) == ["a", "b", "c"])
        #expect(try scratch.read("runs/chain/b/out.txt") == "天地")
        #expect(try scratch.read("runs/chain/a/config.yaml") == "text: 天\nfails: false\n")
        #expect(try scratch.read("runs/chain/b/result.json") == "{\"text\":\"天地\"}\n")
        #expect(try scratch.read("runs/chain/recipe.yaml").contains("- name: a\n  task: write\n  text: 天\n"))
    }

    @Test func `finished stages are skipped`() async throws {
        let scratch = try Scratch()
        try await run(chain, scratch)
        #expect(try await run(chain, scratch) == [])
    }

    @Test func `a changed configuration runs again, with all that depends on it`() async throws {
        let scratch = try Scratch()
        try await run(chain, scratch)
        #expect(try await run(chain, scratch, set: ["word=日"]) == ["a", "b"])
        #expect(try scratch.read("runs/chain/b/out.txt") == "日地")
        #expect(try scratch.read("runs/chain/.replaced/b/out.txt") == "天地", "the earlier results are kept aside")
        #expect(try await run(chain, scratch, set: ["word=日", "c.text=too"]) == ["c"])
    }

    @Test func `from runs again what is finished, and needs what is before it`() async throws {
        let scratch = try Scratch()
        await #expect(throws: RequestError.self) { try await run(chain, scratch, from: "b") }
        try await run(chain, scratch)
        #expect(try await run(chain, scratch, from: "b") == ["b", "c"])
        await #expect(throws: RequestError.self) { try await run(chain, scratch, from: "d") }
    }

    @Test func `a failed stage runs again and says which it was`() async throws {
        let scratch = try Scratch()
        let error = await #expect(throws: StageFailure.self) { try await run(chain, scratch, set: ["b.fails=true"]) }
        #expect(error?.description == "stage b: model.bin: the disk is full; free some space and run the same command again")
        #expect(scratch.exists("runs/chain/a/out.txt"))
        #expect(!scratch.exists("runs/chain/c"))
        #expect(try await run(chain, scratch) == ["b", "c"])
    }

    @Test func `an interrupted stage goes on`() async throws {
        let scratch = try Scratch()
        let yaml = "name: long\nstages:\n- {name: slow, task: halfway}\n"
        let error = await #expect(throws: Interrupted.self) { try await run(yaml, scratch) }
        #expect(error?.description == "slow: saved half; go on with: yuyan run r.yaml")
        try await run(yaml, scratch)
        #expect(try scratch.read("runs/long/slow/result.json") == "{\"went_on\":true}\n")
    }

    @Test func `all stages are checked before the first one starts`() async throws {
        let scratch = try Scratch()
        let yaml = chain.replacing("text: alone", with: "txt: alone")
        await #expect(throws: RequestError.self) { try await run(yaml, scratch) }
        #expect(!scratch.exists("runs"))
    }

    @Test func `set reaches parameters, stages, nested keys, lists and the name`() throws {
        let scratch = try Scratch()
        let yaml = "name: n\nparameters: {size: 3}\nstages:\n- {name: one-two, task: everything, steps: \"${parameters.size}\"}\n"
        let overrides = ["size=9", "one-two.optimizer.learning_rate=0.5", "one-two.stop=[a, b]", "one-two.top-k=4", "name=other"]
        let changed = try recipe(yaml, scratch, set: overrides)
        let resolved = changed.stages[0].task.resolved
        #expect(changed.name == "other")
        #expect(resolved["steps"] == .text("9"))
        #expect(resolved["top_k"] == .text("4"))
        #expect(resolved["optimizer"]?["learning_rate"] == .text("0.5"))
        #expect(resolved["stop"]?.value == .list([.text("a"), .text("b")]))
    }

    @Test(arguments: [
        ("size=9", "--set size: the recipe has no such parameter; did you mean \"word\"?"),
        ("word", "--set word: expected key=value, such as pretrain.steps=200"),
        ("d.text=x", "--set d.text: the recipe has no stage \"d\"; did you mean \"a\"?"),
        ("a.txt=x", "--set a.txt: unknown key \"txt\"; did you mean \"text\"? (stage a)"),
        ("a.fails=x", "--set a.fails: expected true or false, found \"x\" (stage a)"),
        ("a.task=x", "--set a.task: a stage's name and task cannot be changed"),
        ("word=[x, y]", "--set word: expected text, found a list of 2 (stage a)"),
    ])
    func `a wrong set is refused`(override: String, expected: String) throws {
        #expect(try refusal(chain, set: [override]).replacing("a.txt: text: ", with: "a.txt: ") == expected)
    }

    @Test(arguments: [
        ("", "r.yaml: a recipe is expected: name:, parameters: and stages:"),
        ("- a", "r.yaml: a recipe is expected: name:, parameters: and stages:"),
        ("name: x\nstage: []", "r.yaml:2: unknown key \"stage\"; did you mean \"stages\"?"),
        ("name: x\nstages: []", "r.yaml:2: stages: a list of stages is expected, each with name: and task:"),
        ("stages:\n- {name: a, task: write}", "r.yaml:1: name: a recipe needs a name of letters, digits, - and _: its results go to runs/NAME"),
        (
            "name: ../x\nstages:\n- {name: a, task: write}",
            "r.yaml:1: name: a recipe needs a name of letters, digits, - and _: its results go to runs/NAME"
        ),
        ("name: x\nstages:\n- {name: a, task: wirte}", "r.yaml:3: unknown task \"wirte\"; did you mean \"write\"?"),
        ("name: x\nstages:\n- {name: a}", "r.yaml:3: task: stage \"a\" needs a task: one of everything, write, halfway"),
        ("name: x\nstages:\n- {task: write}", "r.yaml:3: name: a stage needs a name of letters, digits, - and _"),
        ("name: x\nstages:\n- {name: a, task: write}\n- {name: a, task: write}", "r.yaml:4: there are two stages named \"a\""),
        (
            "name: x\nstages:\n- {name: a, task: write, after: \"${b}/out.txt\"}\n- {name: b, task: write}",
            "r.yaml:3: \"${b}/out.txt\" refers to stage \"b\", which does not come before this one"
        ),
        (
            "name: x\nparameters: {word: 1}\nstages:\n- {name: a, task: write, text: \"${wrd}\"}",
            "r.yaml:4: \"${wrd}\" refers to \"wrd\", which is neither a parameter nor an earlier stage; did you mean \"word\"?"
        ),
        ("name: x\nstages:\n- {name: a, task: write, text: \"${wrd\"}", "r.yaml:3: \"${wrd\" has ${ without }"),
        ("name: x\nstages:\n- name: a\n  task: write\n  txet: 1", "r.yaml:5: unknown key \"txet\"; did you mean \"text\"? (stage a)"),
        ("name: x\nstages:\n- name: a\n  task: write\n  after: no.txt", "r.yaml:5: after: there is no file or folder \"no.txt\" (stage a)"),
    ])
    func `a wrong recipe is refused with its line`(yaml: String, expected: String) throws {
        #expect(try refusal(yaml) == expected)
    }
}
