extension ChatTemplate {
    /// `<|role|>content<|end|>` for every turn, `<|assistant|>` as the cue; no newlines.
    public static let yuyan = ChatTemplate(name: "yuyan", open: "<|{role}|>", close: "<|end|>", stop: ["<|end|>", "<|endoftext|>"])

    /// ChatML, as Qwen writes it.
    public static let chatML = ChatTemplate(
        name: "chatml", open: "<|im_start|>{role}\n", close: "<|im_end|>\n", stop: ["<|im_end|>", "<|endoftext|>"])

    /// Llama 2's chat models: the system's message inside the first question.
    public static let llama2: ChatTemplate = {
        var template = ChatTemplate(
            name: "llama2", system: Turn("{bos}[INST] <<SYS>>\n", "\n<</SYS>>\n\n"), user: Turn("{bos}[INST] ", " [/INST]"),
            assistant: Turn(" ", " {eos}"), stop: ["</s>"])
        template.userAfterSystem = Turn("", " [/INST]")
        template.cue = ""
        template.trims = true
        return template
    }()

    /// Llama 3's chat models.
    public static let llama3: ChatTemplate = {
        var template = ChatTemplate(
            name: "llama3", open: "<|start_header_id|>{role}<|end_header_id|>\n\n", close: "<|eot_id|>", stop: ["<|eot_id|>", "<|end_of_text|>"])
        template.opening = "<|begin_of_text|>"
        template.trims = true
        return template
    }()

    /// Stanford Alpaca's instructions (Taori et al. 2023).
    public static let alpaca: ChatTemplate = {
        let task = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        var template = ChatTemplate(
            name: "alpaca", system: Turn("", "\n\n"), user: Turn("### Instruction:\n", "\n\n"), assistant: Turn("### Response:\n", "{eos}"),
            stop: ["</s>", "### Instruction:"])
        template.standardSystem = task
        return template
    }()

    /// BELLE (Ji et al. 2023): `Human: …`, `Assistant: …`.
    public static let belle = ChatTemplate(
        name: "belle", system: Turn("", "\n\n"), user: Turn("Human: ", "\n\n"), assistant: Turn("Assistant: ", "{eos}"), stop: ["</s>", "Human:"])

    /// PromptCLUE's prompts end with `答案：`, and line ends are `_` on the way in and out (github.com/clue-ai/PromptCLUE).
    public static let promptCLUE: ChatTemplate = {
        var template = ChatTemplate(
            name: "promptclue", system: Turn("", "\n"), user: Turn("", "\n"), assistant: Turn("答案：", "{eos}"), stop: ["</s>"])
        template.lineEnd = "_"
        return template
    }()

    /// The fine-tuned Chinese GPT-3 models of ModelScope: up to three earlier turns, and passages that were looked up.
    public static let gpt3: ChatTemplate = {
        var template = ChatTemplate(
            name: "gpt3", system: Turn("", ""), user: Turn("输入：", ""), assistant: Turn("输出：", "</s>"), stop: ["</s>", "<|endoftext|>"])
        template.lastUser = Turn("当前输入：", "当前")  // and then the assistant's 输出：
        template.turns = 3
        template.knowledge = Turn("检索知识：", "")
        template.knowledgeStandsBefore = true
        return template
    }()

    /// All that have a name here.
    public static let known: [ChatTemplate] = [yuyan, chatML, llama2, llama3, alpaca, belle, promptCLUE, gpt3]

    /// What a model is taught whose tokenizer has no template.
    public static func standard(isEncoderDecoder: Bool) -> ChatTemplate { isEncoderDecoder ? promptCLUE : yuyan }

    /// The template of this name.
    public static func named(_ name: String) throws -> ChatTemplate {
        guard let found = known.first(where: { $0.name == name }) else {
            throw TokenizerError("There is no chat template \"\(name)\"; there are \(known.map(\.name).joined(separator: ", ")).")
        }
        return found
    }
}
