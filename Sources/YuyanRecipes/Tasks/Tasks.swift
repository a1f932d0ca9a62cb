extension TaskRegistry {
    /// The tasks of a recipe, in the order in which a model usually passes through them.
    public static let standard = TaskRegistry([
        TokenizerTask.self
    ])
}
