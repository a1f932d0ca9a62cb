/// PromptCLUE's way with line ends: its SentencePiece model has no token for them, so they are written as `_`, and back (github.com/clue-ai/PromptCLUE).
public enum PromptCLUE {
    /// As the model reads it.
    public static func encoded(_ text: String) -> String { text.replacing("\n", with: "_") }

    /// As a person reads what the model wrote.
    public static func decoded(_ text: String) -> String { text.replacing("_", with: "\n") }
}
