import CData
import Foundation
import YuyanText

/// The n-grams of test sets: a sorted array of their hashes behind a Bloom filter, and for each the test records that have it.
struct TestGrams: Sendable {
    /// What was found in a text.
    struct Finding {
        /// Id, share and passage.
        var value: String
        /// The places of all test records that were found, in the text's UTF-8, in order and apart.
        var ranges: [Range<Int>]
    }

    /// An n-gram that so many test records share is the test set's own wording, and tells nothing.
    static let commonest = 100

    let width: Int
    /// Records that can be found.
    private(set) var recordCount = 0
    /// Records without a field that is long enough.
    private(set) var tooShort = 0
    private(set) var fingerprint: UInt64 = 0
    private var ids: [String] = []
    /// How many different n-grams each record has.
    private var totals: [UInt32] = []
    /// Ascending; the records of the `i`th are `records[starts[i]..<starts[i + 1]]`.
    private var hashes: [UInt64] = []
    private var starts: [Int] = []
    private var records: [UInt32] = []
    private var filter: [UInt64] = []
    private var filterBits: UInt32 = 1

    init(_ paths: [String], width: Int) throws {
        self.width = width
        var pairs: [(hash: UInt64, record: UInt32)] = []
        var text = ComparisonText()
        var buffer: [UInt64] = []
        try Self.forEachTest(paths) { id, fields in
            let before = pairs.count
            for field in fields {
                text.load(field)
                let count = Self.hash(text, width, &buffer)
                for hash in buffer[..<count] { pairs.append((hash, UInt32(ids.count))) }
            }
            ids.append(id)
            if pairs.count == before { tooShort += 1 }
        }
        recordCount = ids.count - tooShort
        totals = [UInt32](repeating: 0, count: ids.count)
        pairs.sort { ($0.hash, $0.record) < ($1.hash, $1.record) }
        var index = 0
        while index < pairs.count {
            var end = index
            let before = records.count
            while end < pairs.count, pairs[end].hash == pairs[index].hash {
                if records.count == before || records[records.count - 1] != pairs[end].record { records.append(pairs[end].record) }
                end += 1
            }
            if records.count - before > Self.commonest {
                records.removeSubrange(before...)
            } else {
                hashes.append(pairs[index].hash)
                starts.append(before)
                for record in records[before...] { totals[Int(record)] += 1 }
            }
            index = end
        }
        starts.append(records.count)
        // 16 bits for each hash and more: three bits are then set by chance in one of some hundred words.
        while filterBits < 30, 1 << Int(filterBits) < hashes.count / 4 { filterBits += 1 }
        filter = [UInt64](repeating: 0, count: 1 << Int(filterBits))
        filter.withUnsafeMutableBufferPointer { filter in
            hashes.withUnsafeBufferPointer { cdata_filter_insert(filter.baseAddress, filterBits, $0.baseAddress, $0.count) }
        }
        var checksum = Checksum()
        hashes.withUnsafeBytes { checksum.update($0) }
        for (id, total) in zip(ids, totals) { checksum.update(stableHash(id) ^ UInt64(total)) }
        fingerprint = checksum.value
    }

    /// The texts of every test record, field by field.
    private static func forEachTest(_ paths: [String], _ body: (String, [String]) throws -> Void) throws {
        for file in try dataFiles(documentPaths(paths)) {
            if let kind = FileKind(file), kind == .csv || kind == .tsv {
                var rows = try DelimitedRows(file, kind: kind)
                while let row = try rows.next() { try body("\(file.lastPathComponent):\(row.line)", row.fields) }
            } else {
                var reader = try RecordReader([file.path])
                while var record = try reader.next() {
                    var fields: [String] = []
                    record.changeTexts { fields.append($0) }
                    try body(record.id, fields)
                }
            }
        }
    }

    /// The hashes of a text's n-grams; gives their number.
    private static func hash(_ text: ComparisonText, _ width: Int, _ hashes: inout [UInt64]) -> Int {
        guard text.count >= width else { return 0 }
        if hashes.count < text.count { hashes = [UInt64](repeating: 0, count: text.count * 3 / 2) }
        text.scalars.withUnsafeBufferPointer { scalars in
            hashes.withUnsafeMutableBufferPointer { cdata_gram_hashes(scalars.baseAddress, text.count, width, $0.baseAddress) }
        }
        return text.count - width + 1
    }

    /// The test records of which a text holds too much, or nil.
    func search(_ text: String, _ configuration: DecontaminationConfiguration) -> Finding? {
        var comparison = ComparisonText()
        comparison.load(text)
        var grams: [UInt64] = []
        let count = Self.hash(comparison, width, &grams)
        guard count > 0 else { return nil }
        var hits: [(place: Int, hash: Int)] = []
        let places = [UInt32](unsafeUninitializedCapacity: count) { places, found in
            found = filter.withUnsafeBufferPointer { filter in
                grams.withUnsafeBufferPointer { cdata_filter_find(filter.baseAddress, filterBits, $0.baseAddress, count, places.baseAddress) }
            }
        }
        for place in places { if let hash = find(grams[Int(place)]) { hits.append((Int(place), hash)) } }
        guard hits.count >= configuration.minimumMatches else { return nil }

        var found: [UInt32: Int] = [:]
        for hash in Set(hits.map(\.hash)) { for record in records[starts[hash]..<starts[hash + 1]] { found[record, default: 0] += 1 } }
        let guilty = found.filter { record, matches in
            matches >= configuration.minimumMatches && Double(matches) >= configuration.overlap * Double(totals[Int(record)])
        }
        func share(_ record: UInt32) -> Double { Double(guilty[record] ?? 0) / Double(totals[Int(record)]) }
        guard let worst = guilty.keys.min(by: { (share($1), $0) < (share($0), $1) }) else { return nil }

        comparison.load(text, withOffsets: true)
        func ranges(_ isMeant: (UInt32) -> Bool) -> [Range<Int>] {
            var ranges: [Range<Int>] = []
            for hit in hits where records[starts[hit.hash]..<starts[hit.hash + 1]].contains(where: isMeant) {
                if let last = ranges.last, hit.place <= last.upperBound {
                    ranges[ranges.count - 1] = last.lowerBound..<hit.place + width
                } else {
                    ranges.append(hit.place..<hit.place + width)
                }
            }
            return ranges.map { bytes($0, comparison, text) }
        }
        let passages = ranges { $0 == worst }
        let longest = passages.max { $0.count < $1.count } ?? 0..<0
        return Finding(
            value: "\(ids[Int(worst)]) (\(rounded(share(worst)))): \(Self.show(longest, in: text))", ranges: ranges { guilty[$0] != nil })
    }

    private func find(_ hash: UInt64) -> Int? {
        var (low, high) = (0, hashes.count)
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] < hash { low = middle + 1 } else { high = middle }
        }
        return low < hashes.count && hashes[low] == hash ? low : nil
    }

    /// Where scalars of the comparison stand in the UTF-8 of the text.
    private func bytes(_ scalars: Range<Int>, _ comparison: ComparisonText, _ text: String) -> Range<Int> {
        let last = Int(comparison.offsets[scalars.upperBound - 1])
        let utf8 = text.utf8
        let lead = utf8[utf8.index(utf8.startIndex, offsetBy: last)]
        return Int(comparison.offsets[scalars.lowerBound])..<last + (lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4)
    }

    /// A passage in 【】 with ten characters before and behind, all on one line; of a long one the beginning.
    private static func show(_ range: Range<Int>, in text: String) -> String {
        let start = text.utf8.index(text.utf8.startIndex, offsetBy: range.lowerBound)
        let end = text.utf8.index(text.utf8.startIndex, offsetBy: range.upperBound)
        let scalars = text.unicodeScalars
        let before = String(String.UnicodeScalarView(scalars[..<start].suffix(10)))
        let passage = String(String.UnicodeScalarView(scalars[start..<end].prefix(100)))
        let behind = String(String.UnicodeScalarView(scalars[end...].prefix(10)))
        let isWhole = passage.utf8.count == range.count
        let line = "\(before)【\(passage)\(isWhole ? "" : "…")】\(isWhole ? behind : "")"
        return String(String.UnicodeScalarView(line.unicodeScalars.map { $0 == "\n" || $0 == "\r" ? " " : $0 }))
    }
}
