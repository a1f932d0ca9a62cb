import Foundation
import Testing
import YuyanText

/// The commands with a model, on one that the binary has trained.
@Suite struct ModelCommandTests {
    let tiny: TinyModel

    init() throws {
        tiny = try TinyModel()
        try tiny.run(tiny.pretrain("run", steps: 4))
    }

    @Test func `a trained model generates, is measured, converted and fine-tuned`() throws {
        let first = try tiny.run(["generate", "--model", "run", "--prompt", "雨燕", "--max-tokens", "8", "--greedy", "--json"])
        struct Answer: Decodable {
            var text: String
            var tokens: [Int]
            var logprobs: [Double]
            var finishReason: String
            var tokensPerSecond: Double
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let answer = try decoder.decode(Answer.self, from: Data(first.output.utf8))
        #expect(answer.tokens.count == answer.logprobs.count && !answer.tokens.isEmpty && answer.tokens.count <= 8)
        #expect(answer.logprobs.allSatisfy { $0 <= 0 })

        // What names a model by its run names the tokenizer too.
        try tiny.scratch.write("雨燕在雨中飞过屋顶。", to: "own.txt")
        try tiny.run(["data", "pack", "--tokenizer", "run", "--output", "own", "own.txt"])

        try tiny.run(["convert", "--from", "run", "--to", "copy", "--dtype", "float32"])
        let again = try tiny.run(["generate", "--model", "copy", "--prompt", "雨燕", "--max-tokens", "8", "--greedy", "--dtype", "float32", "--json"])
        let tokens = try decoder.decode(Answer.self, from: Data(again.output.utf8)).tokens
        #expect(tokens.count <= 8)

        // Through other layouts and back the model writes the same.
        try tiny.run(["convert", "--from", "copy", "--to", "parts", "--format", "modelscope", "--parts", "2"])
        try tiny.run(["convert", "--from", "parts", "--to", "one.gguf", "--format", "gguf"])
        try tiny.run(["convert", "--from", "one.gguf", "--to", "back"])
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(at: tiny.url.appending(path: "copy/\(name)"), to: tiny.url.appending(path: "back/\(name)"))
        }
        try tiny.run(["convert", "--from", "copy", "--to", "folder", "--format", "gguf"])
        for folder in ["parts", "back", "folder/model.gguf"] {
            let answer = try tiny.run([
                "generate", "--model", folder, "--prompt", "雨燕", "--max-tokens", "8", "--greedy", "--dtype", "float32", "--json",
            ])
            #expect(try decoder.decode(Answer.self, from: Data(answer.output.utf8)).tokens == tokens, "\(folder)")
        }

        for flags in [["--draft-model", "run", "--draft-tokens", "3"], ["--prompt-lookup"]] {
            let words = ["generate", "--model", "copy", "--prompt", "雨燕", "--max-tokens", "8", "--greedy", "--dtype", "float32", "--json"]
            #expect(try decoder.decode(Answer.self, from: Data(tiny.run(words + flags).output.utf8)).tokens == tokens)
        }
        let rounded = try tiny.run([
            "generate", "--model", "copy", "--prompt", "雨燕", "--max-tokens", "8", "--greedy", "--dtype", "float32", "--cache", "int8", "--json",
        ])
        #expect(try decoder.decode(Answer.self, from: Data(rounded.output.utf8)).tokens.count == tokens.count)
        for flags in [["--cache", "int8"], ["--no-cache"], []] {
            let words = ["benchmark", "generate", "--model", "copy", "--prompt-tokens", "4", "--tokens", "4", "--json"]
            #expect(try tiny.run(words + flags).output.contains("\"decode_tokens_per_second\""))
        }
        let named = try tiny.run(["generate", "--model", "run", "--prompt", "雨燕", "--regex", "第\\d{2}天(北京|上海)!", "--json"])
        #expect(try decoder.decode(Answer.self, from: Data(named.output.utf8)).text.wholeMatch(of: /第\d{2}天(北京|上海)!/) != nil)
        try tiny.scratch.write(#"{"type": "array", "items": {"enum": ["雨燕", 7]}, "minItems": 2, "maxItems": 9}"#, to: "schema.json")
        let listed = try tiny.run(["generate", "--model", "run", "--prompt", "雨燕", "--json-schema", "schema.json", "--json"])
        let list = try decoder.decode(Answer.self, from: Data(listed.output.utf8)).text
        #expect(try (JSONSerialization.jsonObject(with: Data(list.utf8)) as? [Any])?.count ?? 0 >= 2)

        let measured = try tiny.run(["evaluate", "perplexity", "--model", "run", "--output", "measured", "--json", "corpus.txt"])
        #expect(measured.output.contains("\"perplexity\":"))

        // A template may end answers with a text that is no token.
        try tiny.scratch.write(#"{"src_txt": "雨燕", "tgt_txt": "飞过北京的天空"}"#, to: "pairs.jsonl")
        func answered(_ output: String) throws -> String {
            struct Line: Decodable { var answer: String }
            try tiny.run(["evaluate", "bleu", "--model", "copy", "--max-tokens", "24", "--dtype", "float32", "--output", output, "pairs.jsonl"])
            return try JSONDecoder().decode(Line.self, from: Data(contentsOf: tiny.url.appending(path: "\(output)/answers.jsonl"))).answer
        }
        let whole = try answered("whole")
        let end = try #require(whole.last { !$0.isASCII })
        let copy = tiny.url.appending(path: "copy")
        var tokenizer = try Tokenizer(contentsOf: copy)
        tokenizer.chatTemplate = ChatTemplate(open: "{role}：", close: String(end), stop: [String(end)])
        try tokenizer.save(to: copy)
        #expect(try answered("cut") == whole.prefix { $0 != end })

        let chats = (0..<20).map { "{\"instruction\": \"\($0)加一等于几？\", \"output\": \"等于\($0 + 1)。\"}" }.joined(separator: "\n")
        try tiny.scratch.write(chats, to: "chats.jsonl")
        try tiny.run([
            "finetune", "--model", "run", "--data", "chats.jsonl", "--sequence-length", "64", "--micro-batch", "2", "--steps", "3", "--output",
            "tuned",
        ])
        let spoken = try Program.run(["chat", "--model", "tuned", "--max-tokens", "4"], input: "你好\n/save said.json\n/reset\n/exit\n", in: tiny.url)
        #expect(spoken.status == 0, "\(spoken.error)")
        #expect(try String(contentsOf: tiny.url.appending(path: "said.json"), encoding: .utf8).contains("你好"))
    }

    @Test func `a conversation goes on without end, and is not read again`() throws {
        let llama = tiny.pretrain("llama", steps: 2).map { $0 == "gpt-nano" ? "llama-nano" : $0 }
        try tiny.run(llama)
        let chats = (0..<20).map { "{\"instruction\": \"\($0)加一等于几？\", \"output\": \"等于\($0 + 1)。\"}" }.joined(separator: "\n")
        try tiny.scratch.write(chats, to: "chats.jsonl")
        try tiny.run([
            "finetune", "--model", "llama", "--data", "chats.jsonl", "--sequence-length", "64", "--micro-batch", "2", "--steps", "2", "--output",
            "tuned",
        ])
        // Many times the context of 64 tokens.
        let questions = (0..<12).map { "第\($0)天，雨燕飞过哪里？" }.joined(separator: "\n")
        let chat = ["chat", "--model", "tuned", "--system", "雨燕", "--max-tokens", "24", "--temperature", "0"]
        let endless = try Program.run(chat + ["--endless"], input: questions + "\n/system 燕\n你好\n/exit\n", in: tiny.url)
        #expect(endless.status == 0 && !endless.error.contains("error:"), "\(endless.error)")
        #expect(!(endless.output + endless.error).contains("no longer sees"), "\(endless.output)")

        let rounded = try Program.run(chat + ["--endless", "--cache", "int8"], input: questions + "\n/exit\n", in: tiny.url)
        #expect(rounded.status == 0 && !rounded.error.contains("error:"), "\(rounded.error)")

        let keeping = chat + ["--prefixes", "kept.safetensors"]
        let first = try Program.run(keeping, input: "你好\n/exit\n", in: tiny.url)
        let again = try Program.run(keeping, input: "你好\n/exit\n", in: tiny.url)
        #expect(first.status == 0 && again.status == 0 && first.output == again.output, "\(first.error) \(again.error)")
        let otherwise = try Program.run(keeping + ["--cache", "int8"], input: "你好\n/exit\n", in: tiny.url)
        #expect(otherwise.status != 0 && otherwise.error.contains("cache must be model"), "\(otherwise.error)")
        try tiny.run(["convert", "--from", "llama", "--to", "another"])
        let stranger = try Program.run(
            ["chat", "--model", "another", "--template", "belle", "--prefixes", "kept.safetensors"], input: "你好\n/exit\n", in: tiny.url)
        #expect(stranger.status != 0 && stranger.error.contains("another model"), "\(stranger.error)")

        try tiny.run(tiny.pretrain("learned", steps: 1))
        let learned = try Program.run(["chat", "--model", "learned", "--template", "belle", "--endless"], input: "/exit\n", in: tiny.url)
        #expect(learned.status != 0 && learned.error.contains("relative positions"), "\(learned.error)")

        let streamed = try tiny.run([
            "benchmark", "stream", "--model", "llama", "--tokens", "400", "--bucket", "40", "--recompute-every", "10", "--output", "streamed",
            "--json",
            "corpus.txt",
        ])
        #expect(streamed.output.contains("\"perplexity_beyond_context\""))
        for name in ["perplexity", "time"] { #expect(FileManager.default.fileExists(atPath: tiny.url.appending(path: "streamed/\(name).svg").path)) }
    }

    @Test func `bad input gets one sentence and leaves nothing`() throws {
        try tiny.scratch.write("", to: "empty.txt")
        try tiny.scratch.write("{\"text\": \"好\"}\n{\"text\": \n", to: "broken.jsonl")
        try tiny.scratch.write("{\"prompt\": \"你好\", \"response\": \"你好！\"}\n{\"prompt\": 你好}\n", to: "chats.jsonl")
        try Data([0xE5, 0xA5, 0xBD, 0x80, 0x80]).write(to: tiny.url.appending(path: "noise.txt"))
        try tiny.run(["tokenizer", "train", "--kind", "bpe", "--vocab-size", "340", "--output", "larger", "corpus.txt"])
        let long = String(repeating: "雨燕飞过北京", count: 60)
        try tiny.run(["convert", "--from", "run", "--to", "mismatched"])
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            let target = tiny.url.appending(path: "mismatched/\(name)")
            try FileManager.default.removeItem(at: target)
            try FileManager.default.copyItem(at: tiny.url.appending(path: "larger/\(name)"), to: target)
        }
        try tiny.run(["convert", "--from", "run", "--to", "truncated"])
        let weights = tiny.url.appending(path: "truncated/model.safetensors")
        try Data(contentsOf: weights).dropLast(100).write(to: weights)

        let cases: [(arguments: [String], status: Int32, mentions: [String])] = [
            (["data", "pack", "--tokenizer", "tokenizer", "--output", "x1", "empty.txt"], 1, ["empty"]),
            (["data", "pack", "--tokenizer", "tokenizer", "--output", "x2", "broken.jsonl"], 1, ["broken.jsonl:2"]),
            (["data", "pack", "--tokenizer", "tokenizer", "--output", "x3", "noise.txt"], 1, ["noise.txt", "UTF-8"]),
            (["data", "pack", "--tokenizer", "tokenizer", "--output", "x4", "nowhere.txt"], 2, ["nowhere.txt"]),
            (["pretrain", "--data", "packed", "--modle", "gpt-nano"], 2, ["--modle", "--model"]),
            (["pretrain", "--data", "packed", "--model", "gpt-nanno"], 2, ["gpt-nanno", "gpt-nano"]),
            (["pretrain", "--data", "packed", "--learning-rate", "fast"], 2, ["learning-rate", "fast"]),
            (["pretrain", "--data", "tokenizer", "--output", "x5"], 1, ["tokenizer"]),
            (["generate", "--model", "mismatched", "--prompt", "雨燕"], 2, ["embedding only 320"]),
            (["generate", "--model", "truncated", "--prompt", "雨燕"], 1, ["model.safetensors"]),
            (["generate", "--model", "tokenizer", "--prompt", "雨燕"], 2, ["tokenizer", "config.json"]),
            (["generate", "--model", "run", "--prompt", long], 1, ["64"]),
            (["generate", "--model", "run", "--prompt", "雨", "--top-p", "3"], 2, ["top-p", "3"]),
            (["generate", "--model", "run", "--prompt", "雨", "--regex", "a(b"], 2, ["regex", "character 2"]),
            (["generate", "--model", "run", "--prompt", "雨", "--json-schema", "nowhere.json"], 2, ["json-schema", "nowhere.json"]),
            (["generate", "--model", "run", "--prompt", "雨", "--draft-model", "run", "--prompt-lookup"], 2, ["draft-model", "prompt_lookup"]),
            (["finetune", "--model", "run", "--data", "chats.jsonl", "--output", "x6"], 1, ["chats.jsonl:2"]),
            (["evaluate", "perplexity", "--model", "run", "--output", "x7"], 2, ["files"]),
            (tiny.pretrain("run", steps: 8), 2, ["already holds a run", "--output"]),
            (["generate", "--model", "run", "--prompt", "雨", "--device", "cuda:9"], 1, ["CUDA"]),
        ]
        for (arguments, status, mentions) in cases {
            let result = try Program.run(arguments, in: tiny.url)
            let sentences = result.error.split(separator: "\n").filter { $0.hasPrefix("error: ") }
            #expect(sentences.count == 1, "\(arguments): \(result.error)")
            #expect(result.status == status, "\(arguments): \(result.error)")
            for text in mentions { #expect(result.error.contains(text), "\(arguments) should name \(text): \(result.error)") }
            #expect(!result.error.contains("Fatal error") && !result.error.contains(".swift:"), "\(result.error)")
        }
    }
}
