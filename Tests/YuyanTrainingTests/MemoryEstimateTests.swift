import Foundation
import Testing
import YuyanModels
import YuyanTensor

@testable import YuyanData
@testable import YuyanTraining

@Suite struct MemoryEstimateTests {
    private enum Way: CaseIterable {
        case full, eightBit, lora, quantized
    }

    /// Two steps, measured by the allocator.
    @Test(arguments: ["gpt-micro", "llama-nano"], [false, true]) @Engine func isNearWhatIsMeasured(name: String, recompute: Bool) throws {
        let (folder, preset) = (try TemporaryFolder(), try #require(ModelPreset(name)))
        for (way, dtype) in Way.allCases.flatMap({ way in [DType.float32, .bfloat16].map { (way, $0) } }) {
            for (rows, batchRows) in [(4, 4), (1, 2)] {
                var c = TrainingConfiguration()
                (c.sequenceLength, c.microBatch, c.batchRows, c.steps, c.recompute) = (256, rows, batchRows, 2, recompute)
                if way == .eightBit { c.optimizer = .adamw8Bit }
                let lora = way == .lora || way == .quantized ? LoRAConfiguration(rank: 8) : nil
                let quantization = way == .quantized ? Quantization.nf4 : nil

                MemoryStatistics.resetPeak()
                let before = MemoryStatistics.current.peak
                let model = try preset.model(
                    vocabularySize: 2000, lora: lora, quantization: quantization, seed: 1, dtype: dtype, device: .cpu)
                let batch = Batch(formulaText(step: 0, rows: 0..<rows, columns: 256, words: 2000))
                let trainer = try Trainer(
                    model, c, source: MadeBatches { _ in fatalError("steps are taken by hand") }, environment: TrainingEnvironment(folder: folder.url)
                )
                for _ in 0..<2 { _ = try trainer.takeStep([Batch](repeating: batch, count: batchRows / rows)) }
                let measured = Double(MemoryStatistics.current.peak - before)

                let estimate = MemoryEstimate(
                    parameters: model.shapes, .init(dtype: dtype, lora: lora, quantization: quantization), c)
                let expected = Double(estimate.total - estimate.program)
                // It may say too much, most of all for an adapter of a small model, but not too little.
                let isAdapter = way == .lora || way == .quantized
                #expect(0.95...(isAdapter ? 1.65 : 1.3) ~= expected / measured, "\(way), \(dtype), \(rows) rows")
            }
        }
    }
}
