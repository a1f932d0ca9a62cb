extension TaskRegistry {
    /// The tasks of a recipe, in the order in which data and a model usually pass through them.
    public static let standard = TaskRegistry([
        CrawlTask.self, LexiconTask.self, ConvertRecordsTask.self, NGramTask.self, CleanTask.self, FilterTask.self, DedupTask.self,
        DecontaminateTask.self, SplitTask.self, MixTask.self, OrderTask.self, ShapeTask.self, TriplesTask.self,
        FactsTask.self, TokenizerTask.self, PackTask.self, PretrainTask.self, FinetuneTask.self, HeadTask.self, EvaluateTask.self,
        EvaluateHeadTask.self, BLEUTask.self, GenerateTask.self,
    ])
}
