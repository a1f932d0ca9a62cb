extension TaskRegistry {
    /// The tasks of a recipe, in the order in which a model usually passes through them.
    public static let standard = TaskRegistry([
        FactsTask.self, TokenizerTask.self, PackTask.self, PretrainTask.self, FinetuneTask.self, EvaluateTask.self, GenerateTask.self,
    ])
}
