import Foundation
import Testing

@Suite struct BadRequestTests {
    @Test(arguments: [
        (["--bogus"], "error: Unknown option '--bogus'; see yuyan --help"),
        (["frob"], "error: unknown command \"frob\"; did you mean \"run\"?"),
        (["tokenizer", "trian"], "error: unknown command \"trian\"; did you mean \"train\"?"),
        (["run"], "error: Missing expected argument '<recipe>'; see yuyan run --help"),
        (["run", "nowhere.yaml"], "error: nowhere.yaml: there is no such file"),
        (["run", "folder"], "error: folder: this is a folder, a YAML file is expected"),
        (["run", "latin.yaml"], "error: latin.yaml: the file is not valid UTF-8 text"),
        (["run", "empty.yaml"], "error: empty.yaml: a recipe is expected: name:, parameters: and stages:"),
        (["run", "broken.yaml"], "error: broken.yaml:4: this is not valid YAML: did not find expected key while parsing a block mapping"),
        (["run", "key.yaml"], "error: key.yaml:5: unknown key \"vocab_sise\"; did you mean \"vocab_size\"? (stage words)"),
        (["run", "value.yaml"], "error: value.yaml:5: vocab_size: expected a whole number, found \"many\" (stage words)"),
        (["run", "value.yaml", "--set", "words.vocab_size=0"], "error: --set words.vocab_size: must be above 0, found 0 (stage words)"),
        (
            ["run", "value.yaml", "--set", "words.vocab_size=9"],
            "error: value.yaml:6: files: there is no file or folder \"nowhere.txt\" (stage words)"
        ),
        (["tokenizer", "train"], "error: files must be given; see --help"),
        (["tokenizer", "train", "nowhere.txt"], "error: files: there is no file or folder \"nowhere.txt\""),
        (["tokenizer", "train", "--kind", "lzw", "latin.yaml"], "error: --kind: expected one of bpe, wordpiece, character, unigram, found \"lzw\""),
        (["tokenizer", "encode"], "error: Missing expected argument '--tokenizer <folder>'; see yuyan tokenizer encode --help"),
        (["tokenizer", "encode", "--tokenizer", "nowhere"], "error: --tokenizer: there is no folder \"nowhere\""),
        (["tokenizer", "decode", "--tokenizer", "nowhere"], "error: --tokenizer: there is no folder \"nowhere\""),
        (["benchmark", "tokenize", "latin.yaml"], "error: --tokenizer must be given; see --help"),
        (
            ["benchmark", "generate", "--model", "gpt-nanno"],
            "error: model: \"gpt-nanno\" is neither a preset nor a folder; did you mean \"gpt-nano\"?"
        ),
        (["benchmark", "generate", "--vocab-size", "0"], "error: --vocab-size: must be above 0, found 0"),
    ])
    func `a wrong request gets one sentence and status 2`(arguments: [String], expected: String) throws {
        let scratch = try Scratch()
        try scratch.write("", to: "empty.yaml")
        try scratch.write("", to: "folder/file")
        try scratch.write("name: x\nstages:\n  - name: a\n bad", to: "broken.yaml")
        try Data([0x6E, 0xFF, 0xFE, 0x0A]).write(to: scratch.url.appendingPathComponent("latin.yaml"))
        let stage = "name: x\nstages:\n- name: words\n  task: tokenizer\n"
        try scratch.write(stage + "  vocab_sise: 9\n  files: nowhere.txt\n", to: "key.yaml")
        try scratch.write(stage + "  vocab_size: many\n  files: nowhere.txt\n", to: "value.yaml")
        let result = try Program.run(arguments, in: scratch.url)
        #expect(result.error == expected + "\n")
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(!FileManager.default.fileExists(atPath: scratch.url.appendingPathComponent("runs").path), "nothing is left behind")
    }

    @Test func `help and version are no errors`() throws {
        for arguments in [["--help"], ["--version"], ["run", "--help"], ["help", "tokenizer", "train"], ["tokenizer", "train", "-h"], []] {
            let result = try Program.run(arguments)
            #expect(result.status == 0, "\(arguments)")
            #expect(result.error == "", "\(arguments)")
            #expect(!result.output.isEmpty, "\(arguments)")
        }
    }
}
