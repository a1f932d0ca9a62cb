import Foundation
import Testing

@testable import YuyanTraining

/// A folder that goes away with the test.
private final class Scratch {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "yuyan-metrics-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

@Suite struct MetricsLogTests {
    private func record(_ step: Int, loss: Double = 2.5) -> MetricsRecord {
        MetricsRecord(step: step, tokens: step * 100, [.loss: loss, .learningRate: 1e-5])
    }

    @Test func aLineHoldsTheRecordInOrder() {
        var record = MetricsRecord(step: 7, tokens: 700, [.loss: 0.1 + 0.2, .gradientNorm: .infinity, "奖励 \"r\"": -1])
        record[.learningRate] = 1e-5
        record[.loss] = 0.1 + 0.2
        #expect(
            record.json == #"{"step":7,"tokens":700,"loss":0.30000000000000004,"gradient_norm":null,"奖励 \"r\"":-1.0,"learning_rate":1e-05}"#)
    }

    @Test(arguments: [0.1 + 0.2, 1e-300, .leastNonzeroMagnitude, 123_456_789.125, -3, .greatestFiniteMagnitude, 1e16])
    func numbersReadBackToTheSameBits(value: Double) {
        let read = MetricsRecord(json: Data(MetricsRecord(step: 1, tokens: 2, [.loss: value]).json.utf8))
        #expect(read?[.loss]?.bitPattern == value.bitPattern)
    }

    @Test func nullReadsAsNaN() {
        #expect(MetricsRecord(json: Data(record(1, loss: .nan).json.utf8))?[.loss]?.isNaN == true)
    }

    @Test func resumingNeverHoldsAStepTwice() throws {
        let folder = try Scratch()
        let url = folder.url.appending(path: "metrics.jsonl")
        var log = try MetricsLog(url)
        for step in 1...10 { try log.append(record(step)) }
        var resumed = try MetricsLog(url, resumingAfter: 6)
        for step in 7...12 { try resumed.append(record(step, loss: 1)) }
        let records = try MetricsLog.records(in: url)
        #expect(records.map(\.step) == Array(1...12))
        #expect(records.map { $0[.loss] } == Array(repeating: 2.5, count: 6) + Array(repeating: 1, count: 6))
    }

    @Test(arguments: [#"{"step":4,"tokens":40"#, #"{"step":4,"tokens":400,"loss":2.5}"#, "\0\0\0\0", "{\"step\":2,\"tokens\":3}\n", "\n", "[]\n"])
    func dropsALineThatIsNotWhole(tail: String) throws {
        let folder = try Scratch()
        let url = folder.url.appending(path: "metrics.jsonl")
        var log = try MetricsLog(url)
        for step in 1...3 { try log.append(record(step)) }
        let whole = try Data(contentsOf: url)
        try (whole + Data(tail.utf8)).write(to: url)
        var resumed = try MetricsLog(url, resumingAfter: 5)
        #expect(try Data(contentsOf: url) == whole)
        try resumed.append(record(4))
        #expect(try MetricsLog.records(in: url).map(\.step) == [1, 2, 3, 4])
    }

    @Test func aNewRunStartsEmpty() throws {
        let folder = try Scratch()
        let url = folder.url.appending(path: "metrics.jsonl")
        var log = try MetricsLog(url)
        try log.append(record(1))
        try log.synchronize()
        _ = try MetricsLog(url)
        #expect(try Data(contentsOf: url).isEmpty)
    }

    @Test func aMissingFolderIsNamed() {
        let error = #expect(throws: MetricsFileError.self) { try MetricsLog(URL(filePath: "/nonexistent/metrics.jsonl")) }
        #expect(error?.description.hasPrefix("Cannot open /nonexistent/metrics.jsonl: ") == true)
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs Linux's /dev/full")) func aFullDiskIsSaid() throws {
        var file = try AppendOnlyFile(URL(filePath: "/dev/full"))
        let error = #expect(throws: MetricsFileError.self) { try file.append(Data("{}".utf8)) }
        #expect(error?.description == "Cannot write to /dev/full: No space left on device.")
    }
}

@Suite struct EventFileTests {
    private func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).compactMap { offset in
            let start = text.index(text.startIndex, offsetBy: offset)
            return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16)
        }
    }

    /// RFC 3720, appendix B.4, and the usual check value.
    @Test func checksumsAreCastagnoli() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    }

    /// The payloads that `tensorboard.compat.proto.event_pb2.Event(...).SerializeToString()` writes for the same events.
    @Test func eventsAreThoseOfTensorBoard() throws {
        let folder = try Scratch()
        let time = Date(timeIntervalSince1970: 1.5)
        var writer = try EventFileWriter(folder: folder.url, resumingAfter: 7, time: time)
        try writer.append(MetricsRecord(step: 300, tokens: 0, ["loss": 2.5, "zero": 0]), time: time)
        try writer.append(text: "雨燕", tag: "samples", step: 8, time: time)
        let expected = [
            "09000000000000f83f1a0d627261696e2e4576656e743a32",
            "09000000000000f83f10083a020801",
            "09000000000000f83f10ac022a1a0a0b0a046c6f737315000020400a0b0a047a65726f1500000000",
            "09000000000000f83f10082a270a250a0773616d706c6573421008071204120208014206e99ba8e787954a080a060a0474657874",
        ]
        #expect(try Data(contentsOf: writer.url) == expected.reduce(Data()) { $0 + EventFileWriter.framed(hex($1)) })
        #expect(writer.url.lastPathComponent.hasPrefix("events.out.tfevents.1."))
    }

    /// The head of every event file that TensorFlow writes: length 24, then its masked checksum.
    @Test func framesAreTFRecords() {
        let frame = EventFileWriter.framed(Array(repeating: 0, count: 24))
        #expect(Array(frame.prefix(12)) == [24, 0, 0, 0, 0, 0, 0, 0, 0xA3, 0x7F, 0x4B, 0x22])
        #expect(frame.count == 8 + 4 + 24 + 4)
    }

    @Test func twoWritersOfOneSecondHaveTwoFiles() throws {
        let folder = try Scratch()
        let time = Date()
        let first = try EventFileWriter(folder: folder.url, time: time)
        let second = try EventFileWriter(folder: folder.url, time: time)
        #expect(first.url.path < second.url.path)
    }
}

@Suite struct LossPlotTests {
    private let falling = (1...5000).map { LossPlot.Point(step: $0, value: 3 + 6 * exp(-Double($0) / 300)) }

    private func parses(_ svg: String) -> Bool {
        XMLCheck.isWellFormed(svg)
    }

    @Test func drawsThreeCurves() {
        let held = [LossPlot.Point(step: 1000, value: 3.4), .init(step: 5000, value: 3.25)]
        let svg = LossPlot(title: "a < b & \"c\"", training: falling, validation: held).svg()
        #expect(parses(svg))
        #expect(svg.contains("a &lt; b &amp; &quot;c&quot;"))
        for style in ["raw", "smooth", "held"] { #expect(svg.contains("<path class=\"\(style)\" d=\"M")) }
        #expect(svg.contains("held-out 3.250"))
        #expect(svg.contains(">5,000</text>"))
        #expect(svg.contains("prefers-color-scheme: dark"))
    }

    @Test func staysSmallForLongRuns() {
        let long = (1...200_000).map { LossPlot.Point(step: $0, value: 3 + Double($0 % 17) / 50) }
        #expect(LossPlot(training: long).svg().utf8.count < 150_000)
    }

    @Test(arguments: [
        [], [LossPlot.Point(step: 1, value: 9)], [.init(step: 1, value: .nan)], [.init(step: 1, value: 0), .init(step: 2, value: 0)],
        [.init(step: 1, value: 1e30), .init(step: 2, value: -.infinity), .init(step: 3, value: -4)],
    ])
    func neverFails(points: [LossPlot.Point]) {
        let svg = LossPlot(training: points, validation: points).svg()
        #expect(parses(svg))
        #expect(!svg.contains("nan") && !svg.contains("inf"))
    }

    @Test func aCurveThatFallsFarIsLogarithmic() {
        #expect(LossPlot(training: [.init(step: 1, value: 9), .init(step: 2, value: 0.1)]).svg().contains("对数 log"))
        #expect(!LossPlot(training: falling).svg().contains("对数 log"))
    }

    @Test func smoothingIgnoresASpikeAndFollowsTheCurve() {
        var noisy = falling
        noisy[2500].value = 100
        noisy[2501].value = .nan
        let smooth = LossPlot.smoothed(noisy)
        #expect(smooth.count <= 800)
        #expect(smooth.first == falling.first)
        #expect(smooth.last?.step == 5000)
        for point in smooth where point.step > 1000 { #expect(abs(point.value - falling[point.step - 1].value) < 0.05) }
    }

    @Test func takesTheCurvesOfTheLog() {
        let plot = LossPlot(records: [
            MetricsRecord(step: 1, tokens: 1, [.loss: 3]), MetricsRecord(step: 2, tokens: 2, [.loss: 2, .validationLoss: 2.5]),
        ])
        #expect(plot.training == [.init(step: 1, value: 3), .init(step: 2, value: 2)])
        #expect(plot.validation == [.init(step: 2, value: 2.5)])
    }
}

/// Whether every element is closed in order: Foundation's XML parser is a library of its own on Linux.
private enum XMLCheck {
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for piece in text.split(separator: "<") {
            guard let close = piece.firstIndex(of: ">"), !piece[..<close].isEmpty else { return false }
            let tag = piece[..<close]
            let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
            if tag.first == "/" {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if tag.last != "/" {
                open.append(name)
            }
        }
        return open.isEmpty
    }
}

@Suite struct SpikeDetectorTests {
    /// A noisy falling loss.
    private func loss(_ step: Int) -> Double { 3 + 6 * exp(-Double(step) / 50) + 0.05 * sin(Double(step * step)) }

    @Test func aFallingCurveWarnsOfNothing() {
        var detector = SpikeDetector(name: "loss")
        #expect((1...2000).allSatisfy { detector.observe(loss($0), step: $0) == nil })
    }

    @Test func warnsOnceWhereASpikeBegins() throws {
        var detector = SpikeDetector(name: "loss")
        var steps: [Int] = []
        var description = ""
        for step in 1...1000 {
            if let spike = detector.observe((500..<505).contains(step) ? 9 : loss(step), step: step) {
                steps.append(spike.step)
                description = spike.description
            }
        }
        #expect(steps == [500])
        #expect(description.hasPrefix("Step 500: the loss jumped to 9.0, "))
    }

    @Test func oneSpikeDoesNotHideTheNext() {
        var detector = SpikeDetector(name: "gradient norm")
        let spikes = (1...400).compactMap { detector.observe([200, 210].contains($0) ? 1000 : 1 + 0.1 * sin(Double($0)), step: $0)?.step }
        #expect(spikes == [200, 210])
    }

    @Test func theStartMayBeWild() {
        var detector = SpikeDetector(name: "gradient norm")
        #expect([0.0, 50, 2, 900, 1, 30].enumerated().allSatisfy { detector.observe($0.element, step: $0.offset) == nil })
    }

    @Test func aRiseThatStaysIsLearnt() {
        var detector = SpikeDetector(name: "loss", window: 50)
        for step in 1...200 { _ = detector.observe(1, step: step) }
        for step in 201...600 { _ = detector.observe(3, step: step) }
        #expect(detector.observe(3.05, step: 601) == nil)
        #expect(detector.observe(30, step: 602) != nil)
    }

    @Test func aCheckpointKeepsItsMemory() throws {
        var detector = SpikeDetector(name: "loss")
        for step in 1...100 { _ = detector.observe(loss(step), step: step) }
        _ = detector.observe(.nan, step: 101)
        var restored = try JSONDecoder().decode(SpikeDetector.self, from: JSONEncoder().encode(detector))
        #expect(restored == detector)
        #expect(restored.observe(20, step: 102) == detector.observe(20, step: 102))
    }
}

@Suite struct ThroughputMeterTests {
    @Test func saysNothingBeforeTheFirstStep() {
        let meter = ThroughputMeter(operationsPerToken: 1, ceiling: 1)
        #expect(meter.tokensPerSecond == nil && meter.ceilingShare == nil && meter.timeLeft(tokens: 5) == nil)
    }

    @Test func measuresRateShareAndTimeLeft() throws {
        var meter = ThroughputMeter(operationsPerToken: 6e8, ceiling: 1e12)
        for _ in 0..<10 { meter.record(tokens: 500, seconds: 0.5) }
        #expect(abs(try #require(meter.tokensPerSecond) - 1000) < 1e-9)
        #expect(abs(try #require(meter.ceilingShare) - 0.6) < 1e-12)
        #expect(abs(try #require(meter.timeLeft(tokens: 60_000)) / .seconds(1) - 60) < 1e-6)
        #expect(ThroughputMeter().ceilingShare == nil)
    }

    @Test func aSlowFirstStepFades() throws {
        var meter = ThroughputMeter()
        meter.record(tokens: 1000, seconds: 20)
        for _ in 0..<300 { meter.record(tokens: 1000, seconds: 1) }
        #expect(try #require(meter.tokensPerSecond) > 990)
    }
}

@Suite struct StoppingTests {
    @Test func aLossThatIsNoNumberNamesTheLastGoodCheckpoint() throws {
        var divergence = DivergenceGuard()
        try divergence.check(loss: 3, gradientNorm: 1, step: 1)
        let first = #expect(throws: DivergenceError.self) { try divergence.check(loss: .nan, gradientNorm: 1, step: 2) }
        #expect(first?.description.hasPrefix("The loss became NaN at step 2: no checkpoint") == true)
        divergence.lastGoodCheckpoint = "runs/a/checkpoints/step-000200"
        let second = #expect(throws: DivergenceError.self) { try divergence.check(loss: 3, gradientNorm: .infinity, step: 250) }
        #expect(second?.description.contains("gradient norm became infinite at step 250") == true)
        #expect(second?.description.contains("runs/a/checkpoints/step-000200") == true)
    }

    @Test func stopsAfterPatience() throws {
        var stopping = EarlyStopping(patience: 2)
        #expect(stopping.observe(3, step: 100) == .improved)
        #expect(stopping.observe(3, step: 200) == .waiting(1))
        #expect(stopping.observe(2.9, step: 300) == .improved)
        #expect(stopping.observe(.nan, step: 400) == .waiting(1))
        stopping = try JSONDecoder().decode(EarlyStopping.self, from: JSONEncoder().encode(stopping))
        #expect(stopping.observe(2.95, step: 500) == .stop)
        #expect(stopping.bestLoss == 2.9 && stopping.bestStep == 300)
    }

    @Test func aTinyGainIsNone() {
        var stopping = EarlyStopping(patience: 3, minimumImprovement: 0.01)
        #expect(stopping.observe(3, step: 1) == .improved)
        #expect(stopping.observe(2.995, step: 2) == .waiting(1))
        #expect(stopping.observe(2.98, step: 3) == .improved)
    }
}

@Suite struct CurvePlotTests {
    @Test func everyCurveHasItsColourAndItsName() {
        let curves = ["a & b", "c"].enumerated().map { number, name in
            CurvePlot.Curve(name, (0..<50).map { .init(step: $0, value: $0 == 7 ? .nan : Double(number + 1) * Double($0 + 1)) })
        }
        let svg = CurvePlot(title: "t", horizontal: "tokens", vertical: "ms", curves: curves).svg()
        #expect(XMLCheck.isWellFormed(svg) && !svg.contains("nan"))
        for part in [">a &amp; b</text>", ">c</text>", "<path class=\"c0\" d=\"M", "<path class=\"c1\" d=\"M", ">tokens</text>", "ms · 对数 log"] {
            #expect(svg.contains(part), "\(part)")
        }
        #expect(XMLCheck.isWellFormed(CurvePlot(title: "", horizontal: "", vertical: "", curves: []).svg()))
    }
}
