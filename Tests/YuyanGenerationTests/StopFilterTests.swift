import Testing

@testable import YuyanGeneration

@Suite struct StopFilterTests {
    /// The text up to the first stop, found in the whole of it.
    private func plain(_ text: String, _ stops: [String]) -> String {
        let bytes = Array(text.utf8)
        let ends = stops.flatMap { stop in bytes.indices.filter { bytes[$0...].starts(with: stop.utf8) } }
        return String(decoding: bytes[..<(ends.min() ?? bytes.count)], as: UTF8.self)
    }

    @Test func cutsWhereTheWholeTextWouldBeCut() {
        var random = RandomStream(seed: 3)
        let alphabet = ["a", "b", "ab", "雨", "燕", "。\n", "\u{0301}", "👩‍👧"]
        func text(_ count: Int) -> [String] { (0..<count).map { _ in alphabet[Int(random.uniform() * Double(alphabet.count))] } }
        for _ in 0..<400 {
            let pieces = text(12)
            let stops = (0..<Int(random.uniform() * 3)).map { _ in text(2).joined() }
            var filter = StopFilter(stops)
            var shown = ""
            for piece in pieces where !filter.isStopped { shown += filter.append(piece) }
            let isStopped = filter.isStopped
            shown += filter.finish()
            let expected = plain(pieces.joined(), stops)
            #expect(Array(shown.unicodeScalars) == Array(expected.unicodeScalars), "\(pieces) \(stops)")
            #expect(isStopped == (Array(expected.utf8) != Array(pieces.joined().utf8)))
        }
    }

    @Test func holdsBackOnlyWhatMayBecomeAStop() {
        var filter = StopFilter(["<|end|>", "。。"])
        #expect(filter.append("你好<|e") == "你好")
        #expect(filter.append("a。") == "<|ea")
        #expect(filter.append("燕") == "。燕")
        #expect(filter.append("<|end|") == "")
        #expect(filter.append(">x") == "")
        #expect(filter.isStopped && filter.finish() == "")
    }
}
