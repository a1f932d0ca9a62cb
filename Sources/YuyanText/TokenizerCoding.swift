public import Foundation

extension Tokenizer {
    /// The ids of a text. Special tokens written in the text become their ids; `addingSpecialTokens` adds those that the
    /// post-processor puts around a text (`[CLS]` … `[SEP]`, a BOS).
    public func encode(_ text: String, addingSpecialTokens: Bool = false) -> [Int32] {
        var ids: [Int32] = []
        var text = text
        text.withUTF8 { encode(utf8: $0, addingSpecialTokens: addingSpecialTokens, into: &ids) }
        return ids
    }

    /// Appends the ids of UTF-8 bytes; an invalid sequence counts as U+FFFD, as Python's `bytes.decode("utf-8", "replace")` has it.
    public func encode(utf8: UnsafeBufferPointer<UInt8>, addingSpecialTokens: Bool = false, into ids: inout [Int32]) {
        let scratch = pipeline.scratch.borrow()
        defer { pipeline.scratch.giveBack(scratch) }
        var buffer = IDBuffer(capacity: utf8.count / 2 + 16)
        pipeline.encode(utf8, parsingSpecial: true, with: scratch, into: &buffer)
        if addingSpecialTokens { ids.append(contentsOf: pipeline.frame.prefix) }
        ids.append(contentsOf: UnsafeBufferPointer(start: buffer.base, count: buffer.count))
        if addingSpecialTokens { ids.append(contentsOf: pipeline.frame.suffix) }
    }

    /// The ids of a text in which nothing is special: a special token's name is encoded like any other text.
    public func encode(plain text: String) -> [Int32] {
        encode(text, parsingSpecial: false, plainly: false)
    }

    func encode(_ text: String, parsingSpecial: Bool, plainly: Bool) -> [Int32] {
        let scratch = pipeline.scratch.borrow()
        defer { pipeline.scratch.giveBack(scratch) }
        var buffer = IDBuffer()
        var text = text
        text.withUTF8 { pipeline.encode($0, parsingSpecial: parsingSpecial, plainly: plainly, with: scratch, into: &buffer) }
        return Array(UnsafeBufferPointer(start: buffer.base, count: buffer.count))
    }

    /// The ids of many texts, on all cores.
    public func encode(texts: [String], addingSpecialTokens: Bool = false) -> [[Int32]] {
        let threads = min(texts.count, ProcessInfo.processInfo.activeProcessorCount)
        guard threads > 1 else { return texts.map { encode($0, addingSpecialTokens: addingSpecialTokens) } }
        let parts = inParallel(threads * 4) { part, parts in
            texts[texts.count * part / parts..<texts.count * (part + 1) / parts].map { encode($0, addingSpecialTokens: addingSpecialTokens) }
        }
        return Array(parts.joined())
    }

    /// Reads lines (`\n`, the last may lack it) from `input` and writes one line of space-separated ids for each to `output`, on all cores, in order.
    /// Throws when reading or writing fails.
    public func encodeLines(from input: FileHandle, to output: FileHandle, addingSpecialTokens: Bool = false) throws {
        let threads = ProcessInfo.processInfo.activeProcessorCount
        var rest: [UInt8] = []
        var isEnd = false
        while !isEnd {
            let chunk = try input.read(upToCount: threads << 21) ?? Data()
            isEnd = chunk.isEmpty
            rest.append(contentsOf: chunk)
            let complete = isEnd ? rest.count : rest.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            if complete == 0 { continue }
            let cuts = lineCuts(rest[..<complete], parts: threads * 4)
            let texts = rest.withUnsafeBufferPointer { bytes in
                nonisolated(unsafe) let bytes = bytes
                return inParallel(cuts.count - 1) { part, _ in
                    encodedLines(UnsafeBufferPointer(rebasing: bytes[cuts[part]..<cuts[part + 1]]), addingSpecialTokens)
                }
            }
            for text in texts { try output.write(contentsOf: text) }
            rest.removeFirst(complete)
        }
    }

    /// The lines' ids as text.
    private func encodedLines(_ bytes: UnsafeBufferPointer<UInt8>, _ addingSpecialTokens: Bool) -> [UInt8] {
        let scratch = pipeline.scratch.borrow()
        defer { pipeline.scratch.giveBack(scratch) }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count * 2)
        var ids = IDBuffer()
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            ids.truncate(to: 0)
            if addingSpecialTokens { for id in pipeline.frame.prefix { ids.append(id) } }
            pipeline.encode(UnsafeBufferPointer(rebasing: bytes[start..<end]), parsingSpecial: true, with: scratch, into: &ids)
            if addingSpecialTokens { for id in pipeline.frame.suffix { ids.append(id) } }
            for index in 0..<ids.count {
                if index > 0 { output.append(0x20) }
                appendDigits(ids.base[index], to: &output)
            }
            output.append(0x0A)
            start = end + 1
        }
        return output
    }

    /// The text of ids; ids that the vocabulary lacks are left out. An incomplete scalar becomes U+FFFD.
    public func decode(_ ids: [Int32], skippingSpecialTokens: Bool = true) -> String {
        var state = Decoder.State()
        var bytes: [UInt8] = []
        for id in ids { pipeline.decoder.append(id, skippingSpecial: skippingSpecialTokens, &state, to: &bytes) }
        return pipeline.decoder.text(of: bytes)
    }
}

/// `body(part, parts)` for every part on all cores, the results in order.
private func inParallel<Result: Sendable>(_ parts: Int, _ body: @Sendable (Int, Int) -> Result) -> [Result] {
    var results = [Result?](repeating: nil, count: parts)
    results.withUnsafeMutableBufferPointer { buffer in
        // Each iteration writes an element of its own.
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: parts) { buffer[$0] = body($0, parts) }
    }
    return results.compactMap { $0 }
}

/// Positions that divide whole lines into parts of about the same size.
private func lineCuts(_ bytes: ArraySlice<UInt8>, parts: Int) -> [Int] {
    var cuts = [0]
    for part in 1..<max(parts, 2) {
        let target = max(bytes.count * part / parts, cuts[cuts.count - 1])
        guard let newline = bytes[target...].firstIndex(of: 0x0A), newline + 1 < bytes.count else { break }
        cuts.append(newline + 1)
    }
    return cuts + [bytes.count]
}

private func appendDigits(_ number: Int32, to output: inout [UInt8]) {
    var divisor: Int32 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
        output.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
        divisor /= 10
    }
}
