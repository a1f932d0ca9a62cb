extension ChatTemplate {
    /// The same template in Jinja, as `tokenizer_config.json` holds it and transformers renders it (without passages, which Jinja is not given).
    public var jinja: String {
        isUniform ? uniformJinja : generalJinja
    }

    /// The template that a Jinja string stands for: one that `jinja` wrote, or a published one of the kinds ChatML, Llama 2 and Llama 3. nil for any other:
    /// what is not known is not guessed.
    public init?(jinja: String) {
        if let known = Self.known.first(where: { $0.jinja == jinja }) {
            self = known
        } else if let uniform = ChatTemplate(uniformJinja: jinja) ?? ChatTemplate(published: jinja) {
            self = uniform
        } else {
            return nil
        }
    }

    // MARK: Writing

    /// Whether all roles are written alike, with nothing else around them.
    private var isUniform: Bool { self == ChatTemplate(name: name, open: user.open, close: user.close, stop: stop) }

    private var uniformJinja: String {
        let parts = user.open.split(separator: "{role}", maxSplits: 1, omittingEmptySubsequences: false).map { escaped(String($0)) }
        let tail = parts.count > 1 ? parts[1] : ""
        return
            "{% for message in messages %}{{ '\(parts[0])' + message['role'] + '\(tail)' + message['content'] + '\(escaped(user.close))' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '\(escaped(user.open.replacing("{role}", with: "assistant")))' }}{% endif %}"
    }

    /// `left` counts the questions that are still to come, this one included.
    private var generalJinja: String {
        func turn(_ turn: Turn, _ role: String) -> String {
            let content = trims ? "message['content'] | trim" : "message['content']"
            let (open, close) = (turn.open.replacing("{role}", with: role), turn.close.replacing("{role}", with: role))
            return [expression(open), content.hasSuffix("trim") ? "(\(content))" : content, expression(close)].filter { $0 != "''" }.joined(
                separator: " + ")
        }
        var text =
            "{% set ns = namespace(left=0) %}{% for message in messages %}{% if message['role'] == 'user' %}{% set ns.left = ns.left + 1 %}{% endif %}"
        text += "{% endfor %}"
        if !opening.isEmpty { text += "{{ \(expression(opening)) }}" }
        if let standardSystem {
            let (open, close) = (system.open.replacing("{role}", with: "system"), system.close)
            text += "{% if messages[0]['role'] != 'system' %}{{ \(expression(open + standardSystem + close)) }}{% endif %}"
        }
        text += "{% for message in messages %}{% if message['role'] == 'system' %}{{ \(turn(system, "system")) }}"
        // An answer belongs to the question before it, which is not counted any more.
        let shown = turns.map { " and ns.left < \($0 + 1)" } ?? ""
        text += "{% elif message['role'] == 'assistant'\(shown) %}{{ \(turn(assistant, "assistant")) }}"
        text += "{% elif message['role'] == 'user' %}{% set ns.left = ns.left - 1 %}"
        text += turns.map { "{% if ns.left < \($0 + 1) %}" } ?? ""
        var branches: [(condition: String, turn: Turn)] = []
        if let lastUser { branches.append(("ns.left == 0", lastUser)) }
        if let userAfterSystem { branches.append(("loop.index0 > 0 and messages[loop.index0 - 1]['role'] == 'system'", userAfterSystem)) }
        for (index, branch) in branches.enumerated() {
            text += "{% \(index == 0 ? "if" : "elif") \(branch.condition) %}{{ \(turn(branch.turn, "user")) }}"
        }
        text += branches.isEmpty ? "{{ \(turn(user, "user")) }}" : "{% else %}{{ \(turn(user, "user")) }}{% endif %}"
        text += turns == nil ? "" : "{% endif %}"
        text += "{% endif %}{% endfor %}"
        let prompt = cue ?? assistant.open.replacing("{role}", with: "assistant")
        return text + (prompt.isEmpty ? "" : "{% if add_generation_prompt %}{{ \(expression(prompt)) }}{% endif %}")
    }

    /// A text with `{bos}` and `{eos}` in it as a Jinja expression.
    private func expression(_ text: String) -> String {
        var parts: [String] = []
        var start = text.startIndex
        for match in text.matches(of: /\{bos\}|\{eos\}/) {
            if start < match.range.lowerBound { parts.append("'\(escaped(String(text[start..<match.range.lowerBound])))'") }
            parts.append(match.output == "{bos}" ? "bos_token" : "eos_token")
            start = match.range.upperBound
        }
        if start < text.endIndex || parts.isEmpty { parts.append("'\(escaped(String(text[start...])))'") }
        return parts.joined(separator: " + ")
    }

    // MARK: Reading

    /// Of the form that `uniformJinja` writes.
    private init?(uniformJinja jinja: String) {
        let strings = jinja.split(separator: "'", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map {
            String($0.element)
        }
        // The strings of the form: open head, 'role', open tail, 'content', close, generation prompt.
        guard strings.count == 6 else { return nil }
        let close = unescaped(strings[4])
        self.init(open: unescaped(strings[0]) + "{role}" + unescaped(strings[2]), close: close, stop: [close])
        guard uniformJinja == jinja else { return nil }
    }

    /// Of a kind that model makers publish in many spellings: known by its markers, all of which must be the kind's.
    private init?(published jinja: String) {
        let found = Set(jinja.matches(of: /<\|[^|<>]*\|>|\[\/?INST\]|<<\/?SYS>>/).map { String($0.output) })
        func consists(of all: Set<String>, with needed: Set<String>) -> Bool { found.isSubset(of: all) && needed.isSubset(of: found) }
        if consists(of: ["<|im_start|>", "<|im_end|>", "<|endoftext|>"], with: ["<|im_start|>", "<|im_end|>"]) {
            self = .chatML
            // What Qwen says where nobody else does.
            standardSystem = jinja.firstMatch(of: /<\|im_start\|>system\\n([^<'"\\]+)<\|im_end\|>/).map { String($0.output.1) }
            if jinja.contains("bos_token") { opening = "{bos}" }
        } else if consists(
            of: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>"],
            with: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]), !jinja.contains("Date")
        {
            self = .llama3
        } else if consists(of: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"], with: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"]) {
            self = .llama2
        } else {
            return nil
        }
    }
}

private func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\x27").replacing("\n", with: "\\n")
}

private func unescaped(_ text: String) -> String {
    text.replacing("\\n", with: "\n").replacing("\\x27", with: "'").replacing("\\\\", with: "\\")
}
