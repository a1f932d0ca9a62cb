import Foundation
import YuyanModels
import YuyanTensor
import YuyanTraining

extension FinetuneTask {
    /// Tells what the training will take before a weight is read, and refuses what cannot fit, with what would.
    @Engine func checkMemory(_ folder: ModelFolder, _ choice: ComputeSettings.Choice, _ stage: StageContext) throws {
        // An adapter's or a single file's shapes are not looked up: what they hold has been trained before.
        guard choice.device == .cpu, let shapes = try? Weights(folder: folder.url).shapes else { return }
        func estimate(_ task: FinetuneTask) -> MemoryEstimate {
            let method = MemoryEstimate.Method(dtype: choice.dtype, lora: task.subject.lora, quantization: task.subject.quantize)
            return MemoryEstimate(parameters: shapes, method, task.settings)
        }
        let own = estimate(self)
        stage.console.line("\(stage.name): memory \(own.table)")
        guard let free = Runtime.availableMemory, own.total > free else { return }
        let other = cheaper.lazy.map { (way: $0.way, total: estimate($0.task).total) }.first { $0.total <= free }
        throw RequestError(
            "\(stage.name): the training needs about \(own.total.gigabytes), and \(free.gigabytes) are free; "
                + (other.map { "with \($0.way) it needs about \($0.total.gigabytes)" } ?? "no way of training this model fits, so take a smaller one")
        )
    }

    /// Ways that take less, the nearest first: each comes on top of the one before.
    private var cheaper: [(way: String, task: FinetuneTask)] {
        var (task, said): (FinetuneTask, [String]) = (self, [])
        var ways: [(way: String, task: FinetuneTask)] = []
        func add(_ words: String, _ change: (inout FinetuneTask) -> Void) {
            change(&task)
            said.append(words)
            ways.append((said.joined(separator: " "), task))
        }
        if !task.settings.recompute { add("--recompute") { $0.settings.recompute = true } }
        if task.settings.microBatch > 1 {
            let rows = task.settings.batchRows ?? task.settings.microBatch
            add("--micro-batch 1 --batch-rows \(rows)") { ($0.settings.microBatch, $0.settings.batchRows) = (1, rows) }
        }
        if task.settings.optimizer == .adamw, task.subject.lora == nil {
            add("--optimizer adamw-8bit") { $0.settings.optimizer = .adamw8Bit }
        }
        if task.subject.lora == nil {
            said.removeAll { $0.hasPrefix("--optimizer") }
            add("--lora") { ($0.subject.lora, $0.settings.optimizer) = (LoRAConfiguration(), .adamw) }
        }
        if task.subject.quantize == nil { add("--quantize nf4") { $0.subject.quantize = .nf4 } }
        return ways
    }
}

extension MemoryEstimate {
    fileprivate var table: String {
        let parts = [("weights", weights), ("gradients", gradients), ("optimiser", optimizer), ("activations", activations), ("program", program)]
        return "about \(total.gigabytes): " + parts.map { "\($0.0) \($0.1.gigabytes)" }.joined(separator: ", ")
    }
}

extension Int {
    fileprivate var gigabytes: String { String(format: "%.2f GB", Double(self) / 1e9) }
}
