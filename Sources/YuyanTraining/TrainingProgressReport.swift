public import Foundation
public import YuyanModels
import YuyanTensor
public import YuyanText

/// What a step tells whoever watches.
public struct TrainingProgressReport: Sendable {
    public var step: Int
    public var totalSteps: Int
    /// Trained on so far.
    public var tokens: Int
    public var loss: Double
    public var learningRate: Double
    public var gradientNorm: Double
    /// Where this step was followed by an evaluation.
    public var heldOut: HeldOutLoss?
    public var tokensPerSecond: Double?
    /// Of the measured matrix ceiling, 0…1.
    public var ceilingShare: Double?
    public var timeLeft: Duration?
    /// Sentences for the user.
    public var warnings: [String]
    /// Where this step was followed by a checkpoint.
    public var checkpoint: URL?
}

/// What surrounds a run: where it writes, and what it does not know how to do itself.
public struct TrainingEnvironment {
    /// The run folder; made if needed.
    public var folder: URL
    /// Kept with each checkpoint.
    public var tokenizer: Tokenizer?
    /// The folder of the model that an adapter is trained for; its checkpoints name it.
    public var base: URL?
    /// Floating-point operations that training on one token takes, for the share of the ceiling.
    public var operationsPerToken: Double?
    /// What the machine can do, in FLOP/s.
    public var ceiling: Double?
    /// Looked at after each micro-batch: true saves and ends the run.
    public var isInterrupted: () -> Bool = { false }
    /// Called after each step. What it throws ends the run as it is: nothing more is saved.
    public var report: (TrainingProgressReport) throws -> Void = { _ in }
    /// Continues prompts, after each evaluation.
    public var samples: (@Engine (_ model: any LanguageModel, _ step: Int) async throws -> [TrainingSample])?

    public init(folder: URL, tokenizer: Tokenizer? = nil) { (self.folder, self.tokenizer) = (folder, tokenizer) }
}

/// How a run ended.
public struct TrainingOutcome: Sendable, Codable, Hashable {
    public enum Reason: String, Sendable, Codable {
        /// The length asked for, or the end of the data.
        case finished
        /// The held-out loss no longer improved.
        case stoppedEarly = "stopped_early"
        /// Saved; `Trainer.resume` goes on from here.
        case interrupted
    }

    public var reason: Reason
    public var steps: Int
    public var tokens: Int
    /// Of this part of the run.
    public var seconds: Double
    /// Of the last step.
    public var loss: Double?
    /// At the end of the run.
    public var heldOut: HeldOutLoss?
    /// The lowest held-out loss and its step.
    public var bestLoss: Double?
    public var bestStep: Int?
    /// The checkpoint at the end.
    public var checkpoint: URL
    /// The checkpoint with the lowest held-out loss, where it was kept.
    public var bestCheckpoint: URL?
}
