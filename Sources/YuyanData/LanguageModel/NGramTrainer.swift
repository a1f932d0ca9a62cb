import Foundation

extension NGramModel {
    /// Trains a model on texts. Throws where the configuration asks for something that cannot be.
    public static func train(_ texts: [String], _ configuration: NGramConfiguration = .init()) throws -> NGramModel {
        try NGramTrainer(configuration).train { body in for text in texts { try body(text) } }
    }

    /// Trains a model on the texts of all records that `paths` (files, folders, patterns) name. The files are read twice.
    public static func train(paths: [String], _ configuration: NGramConfiguration = .init()) throws -> NGramModel {
        if paths.contains("-") { throw DataError("the text is read twice, and standard input can be read but once: save it to a file") }
        let paths = try documentPaths(paths)
        return try NGramTrainer(configuration).train { body in
            var reader = try RecordReader(paths)
            while let record = try reader.next() { try body(record.text) }
        }
    }
}

/// Estimates a model as Heafield, Pouzyrevsky, Clark and Koehn, "Scalable Modified Kneser–Ney Language Model Estimation" (2013) do: n-grams
/// are counted and sorted by their last symbol first, which brings together what the counts of shorter ones need; then each order is sorted
/// by its first symbol first, which brings together the n-grams of one history. Sorting goes to disk where memory does not suffice.
private struct NGramTrainer {
    typealias Texts = ((String) throws -> Void) throws -> Void

    /// Marks an n-gram that is cut off, in the number of its record; its count stays in the sums.
    private static let isCut: UInt32 = 1 << 31

    private let configuration: NGramConfiguration
    private let order: Int
    private let folder: NGramRunFolder

    init(_ configuration: NGramConfiguration) throws {
        try configuration.check()
        self.configuration = configuration
        order = configuration.order
        folder = try NGramRunFolder()
    }

    fileprivate func train(_ texts: Texts) throws -> NGramModel {
        let scalars = try vocabulary(texts)
        var merge = try count(texts, scalars: scalars)
        let adjusted = try adjust(&merge, symbols: scalars.count + NGramLayout.specials)
        let layout = NGramLayout(order: order, characters: scalars.count, counts: adjusted.kept)
        let image = try NGramImage(byteCount: layout.fileSize)
        guard let base = image.bytes.baseAddress else { preconditionFailure("a model without bytes") }
        for (index, scalar) in scalars.enumerated() { (base + NGramLayout.headerBytes + 4 * index).storeBytes(of: scalar, as: UInt32.self) }
        smoothUnigrams(adjusted, layout: layout, base: base)
        for order in stride(from: 2, through: self.order, by: 1) {
            var merge = try adjusted.sorters[order - 2].finish()
            try smooth(&merge, order: order, discounts: adjusted.discounts(order), layout: layout, base: base)
        }
        takeLogarithms(layout, base)
        var checksum = Checksum()
        checksum.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(image.bytes)[NGramLayout.headerBytes...]))
        image.bytes.copyBytes(from: layout.header(checksum: checksum.value))
        return NGramModel(layout: layout, image: image)
    }

    /// The characters that occur often enough, in the order of their values; of more than symbols can number, the most frequent.
    private func vocabulary(_ texts: Texts) throws -> [UInt32] {
        var counts = [Int](repeating: 0, count: 0x11_0000)
        var size = 0
        try texts { text in
            var text = text
            text.withUTF8 { bytes in
                forEachScalar(bytes) { counts[Int($0)] += 1 }
                size += bytes.count
            }
        }
        for lineBreak in [0x0A, 0x0D] { counts[lineBreak] = 0 }
        var scalars = counts.indices.filter { counts[$0] >= configuration.vocabularyMinimum }
        guard !scalars.isEmpty else {
            throw DataError(
                "there is nothing to learn from: in \(size) bytes of text no character occurs \(configuration.vocabularyMinimum) times or more")
        }
        if scalars.count > NGramLayout.maximumCharacters {
            scalars.sort { (-counts[$0], $0) < (-counts[$1], $1) }
            scalars = scalars.prefix(NGramLayout.maximumCharacters).sorted()
        }
        return scalars.map { UInt32($0) }
    }

    /// All n-grams of the highest order, and the shorter ones that a line begins with, symbols in reverse, with their counts.
    private func count(_ texts: Texts, scalars: [UInt32]) throws -> NGramMerge {
        var symbols = [UInt16](repeating: NGramLayout.unknown, count: 0x11_0000)
        for (index, scalar) in scalars.enumerated() { symbols[Int(scalar)] = UInt16(NGramLayout.specials + index) }
        let counter = NGramCounter(order: order, bytes: configuration.memoryMegabytes << 19, folder: folder)
        let highMask: UInt64 = order >= 4 ? .max : .max << UInt64(64 - 16 * order)
        let lowMask: UInt64 = order <= 4 ? 0 : .max << UInt64(96 - 16 * order) & 0xFFFF_FFFF
        var (high, low) = (UInt64(0), UInt64(0))
        func push(_ symbol: UInt16) throws {
            low = (high << 16 & 0xFFFF_0000 | low >> 16) & lowMask
            high = (high >> 16 | UInt64(symbol) << 48) & highMask
            try counter.add(NGramRecord(high: high, low: low << 32 | 1))
        }
        try texts { text in
            var text = text
            try text.withUTF8 { bytes in
                var inLine = false
                try forEachScalar(bytes) { scalar in
                    if scalar == 0x0A || scalar == 0x0D {
                        if inLine { try push(NGramLayout.end) }
                        inLine = false
                    } else {
                        if !inLine { (high, low) = (UInt64(NGramLayout.begin) << 48, 0) }
                        inLine = true
                        try push(symbols[Int(scalar)])
                    }
                }
                if inLine { try push(NGramLayout.end) }
            }
        }
        return try counter.finish()
    }

    private struct Adjusted {
        /// The counts of single symbols.
        var unigrams: [UInt32]
        /// By order − 2: the n-grams with their counts.
        var sorters: [NGramSorter]
        /// By order − 1: how many n-grams are kept.
        var kept: [Int]
        /// By order − 1: how many n-grams have a count of 1, 2, 3 and 4.
        var countsOfCounts: [SIMD4<Int>]

        /// Chen and Goodman's (1999, equation 26) discounts of counts of 0 (none), 1, 2, and 3 or more. Where a corpus is so small or so odd
        /// that they come to nothing useful, ½, 1 and 1½, which KenLM falls back on.
        func discounts(_ order: Int) -> [Double] {
            let counts = countsOfCounts[order - 1]
            let share = Double(counts[0]) / Double(counts[0] + 2 * counts[1])
            let discounts = (1...3).map { Double($0) - Double($0 + 1) * share * Double(counts[$0]) / Double(counts[$0 - 1]) }
            let isUseful = zip(discounts, 1...3).allSatisfy { $0 > 0 && $0 <= Double($1) }
            return [0] + (isUseful ? discounts : [0.5, 1, 1.5])
        }
    }

    /// Counts of all orders: how often an n-gram of the highest order, or one at the beginning of a line, was seen; of the others, how many
    /// different symbols come before it (Kneser and Ney, 1995).
    private func adjust(_ merge: inout NGramMerge, symbols: Int) throws -> Adjusted {
        let bytes = (configuration.memoryMegabytes << 18) / max(order, 1)
        var adjusted = Adjusted(
            unigrams: [UInt32](repeating: 0, count: symbols),
            sorters: (0..<max(order - 1, 0)).map { NGramSorter(order: $0 + 2, bytes: bytes, folder: folder) },
            kept: [Int](repeating: 0, count: order), countsOfCounts: [SIMD4<Int>](repeating: .zero, count: order))
        let minimum = (0...order).map { UInt64(configuration.minimumCount(max($0, 1))) }
        // By order, of the open groups: how often their symbols were seen, and after how many different ones.
        var seen = [UInt64](repeating: 0, count: order + 1)
        var predecessors = [UInt64](repeating: 0, count: order + 1)
        var previous = NGramRecord()
        var open = 0

        func length(_ record: NGramRecord) -> Int {
            var length = 1
            while length < order, record.symbol(length - 1) != NGramLayout.begin { length += 1 }
            return length
        }
        func close(down to: Int) throws {
            for length in stride(from: open, to: to, by: -1) {
                let isWhole = length == order || previous.symbol(length - 1) == NGramLayout.begin
                let count = UInt32(min(isWhole ? seen[length] : predecessors[length], UInt64(Self.isCut - 1)))
                if count <= 4 { adjusted.countsOfCounts[length - 1][Int(count) - 1] += 1 }
                if length == 1 {
                    adjusted.unigrams[Int(previous.symbol(0))] = count
                } else {
                    var record = NGramRecord()
                    for index in 0..<length { record.set(previous.symbol(length - 1 - index), at: index) }
                    let isKept = seen[length] >= minimum[length]
                    record.value = isKept ? count : count | Self.isCut
                    if isKept { adjusted.kept[length - 1] += 1 }
                    try adjusted.sorters[length - 2].append(record)
                }
            }
            open = to
        }
        while let record = try merge.next() {
            let longest = length(record)
            let common = open == 0 ? 0 : min(record.commonSymbols(previous), min(open, longest))
            try close(down: common)
            if common > 0 { predecessors[common] += 1 }
            for length in stride(from: common + 1, through: longest, by: 1) {
                seen[length] = 0
                predecessors[length] = 1
            }
            for length in 1...longest { seen[length] += UInt64(record.value) }
            (previous, open) = (record, longest)
        }
        try close(down: 0)
        adjusted.kept[0] = symbols
        return adjusted
    }

    /// p(w) = (c(w) − D) / Σc + b / |V|: single symbols share what is taken off with all that can come next, which is every character, an
    /// unknown one, and the end of a line.
    private func smoothUnigrams(_ adjusted: Adjusted, layout: NGramLayout, base: UnsafeMutableRawPointer) {
        let unigrams = (base + layout.unigramOffset).assumingMemoryBound(to: Float.self)
        let discounts = adjusted.discounts(1)
        let total = adjusted.unigrams.reduce(0.0) { $0 + Double($1) }
        let rest = adjusted.unigrams.reduce(0.0) { $0 + discounts[min(Int($1), 3)] } / total
        for (symbol, count) in adjusted.unigrams.enumerated() {
            let share = (Double(count) - discounts[min(Int(count), 3)]) / total
            unigrams[2 * symbol] = symbol == NGramLayout.begin ? 0 : Float(share + rest / Double(layout.symbols - 1))
            unigrams[2 * symbol + 1] = 1
        }
    }

    /// p(w | h) = (c(h w) − D) / Σc(h ·) + b(h) p(w | h without its first symbol). n-grams that are cut off leave their mass to b.
    private func smooth(_ merge: inout NGramMerge, order: Int, discounts: [Double], layout: NGramLayout, base: UnsafeMutableRawPointer) throws {
        let unigrams = (base + layout.unigramOffset).assumingMemoryBound(to: Float.self)
        let table = NGramTable(layout, order: order, base: base)
        let lower = order > 2 ? NGramTable(layout, order: order - 1, base: base) : nil
        /// The two numbers of an n-gram one shorter, which is in the model if it is part of one that is.
        func numbers(_ key: NGramKey) -> UnsafeMutablePointer<Float>? {
            guard let lower else { return unigrams + 2 * Int(key.low) }
            return lower.find(key).map { UnsafeMutableRawPointer($0 + 1).assumingMemoryBound(to: Float.self) }
        }
        var group: [NGramRecord] = []
        func close() {
            guard let first = group.first else { return }
            var (total, rest) = (0.0, 0.0)
            for record in group {
                let count = record.value & ~Self.isCut
                total += Double(count)
                rest += record.value == count ? discounts[min(Int(count), 3)] : Double(count)
            }
            rest /= total
            let context = first.key(order: order).context.suffix(order - 1)
            numbers(context)?[1] = Float(rest)
            for record in group where record.value & Self.isCut == 0 {
                let key = record.key(order: order)
                guard let shorter = numbers(key.suffix(order - 1)) else { preconditionFailure("an n-gram is kept whose end was cut off") }
                let share = (Double(record.value) - discounts[min(Int(record.value), 3)]) / total
                let slot = UnsafeMutableRawPointer(table.insert(key, layout: layout, order: order) + 1).assumingMemoryBound(to: Float.self)
                slot[0] = Float(share + rest * Double(shorter[0]))
                if order < layout.order { slot[1] = 1 }
            }
            group.removeAll(keepingCapacity: true)
        }
        while let record = try merge.next() {
            if let first = group.first, first.commonSymbols(record) < order - 1 { close() }
            group.append(record)
        }
        close()
    }

    private func takeLogarithms(_ layout: NGramLayout, _ base: UnsafeMutableRawPointer) {
        let unigrams = (base + layout.unigramOffset).assumingMemoryBound(to: Float.self)
        for index in 0..<2 * layout.symbols { unigrams[index] = log(unigrams[index]) }
        for order in stride(from: 2, through: layout.order, by: 1) {
            let table = NGramTable(layout, order: order, base: base)
            for slot in 0..<layout.slots(order) where table.slots[slot * table.width] != 0 {
                for word in slot * table.width + 1..<(slot + 1) * table.width {
                    table.slots[word] = log(Float(bitPattern: table.slots[word])).bitPattern
                }
            }
        }
    }
}
