import Foundation

/// A folder for sorted runs that goes away with the value.
final class NGramRunFolder {
    let url: URL
    private var count = 0

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("yuyan-ngrams-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw DataError("\(url.path): cannot make a folder for sorting (\(error.localizedDescription)); TMPDIR names another place")
        }
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    /// Writes sorted records to a file of their own.
    func write(_ records: UnsafeMutableBufferPointer<NGramRecord>) throws -> URL {
        let file = url.appendingPathComponent("run-\(count)")
        count += 1
        guard let stream = fopen(file.path, "wb") else { throw DataError.system("write it", file) }
        let written = fwrite(records.baseAddress, MemoryLayout<NGramRecord>.stride, records.count, stream)
        let code = errno
        guard fclose(stream) == 0, written == records.count else { throw DataError.system("write it", file, code: code) }
        return file
    }
}

/// Sorted records, from memory or from a file.
private final class NGramRun {
    private var buffer: UnsafeMutableBufferPointer<NGramRecord>
    private var position = 0
    private var filled: Int
    private let stream: UnsafeMutablePointer<FILE>?
    private let file: URL?

    /// Takes the buffer over.
    init(memory: UnsafeMutableBufferPointer<NGramRecord>, count: Int) {
        (buffer, filled, stream, file) = (memory, count, nil, nil)
    }

    init(_ file: URL) throws {
        guard let stream = fopen(file.path, "rb") else { throw DataError.system("read it", file) }
        (self.stream, self.file) = (stream, file)
        buffer = .allocate(capacity: 1 << 14)
        filled = 0
    }

    deinit {
        buffer.deallocate()
        if let stream { fclose(stream) }
    }

    func next() throws -> NGramRecord? {
        if position == filled {
            guard let stream, let file else { return nil }
            filled = fread(buffer.baseAddress, MemoryLayout<NGramRecord>.stride, buffer.count, stream)
            position = 0
            if ferror(stream) != 0 { throw DataError.system("read it", file) }
            if filled == 0 { return nil }
        }
        position += 1
        return buffer[position - 1]
    }
}

/// Sorted runs as one sorted sequence; the numbers of equal records are added.
struct NGramMerge {
    private var runs: [NGramRun]
    /// A binary heap of the runs' next records, the smallest first.
    private var heap: [(record: NGramRecord, run: Int)] = []

    /// Runs in files, and one in memory (taken over) of which the first `count` records are used.
    init(files: [URL], memory: UnsafeMutableBufferPointer<NGramRecord>, count: Int) throws {
        runs = [NGramRun(memory: memory, count: count)]
        for file in files { runs.append(try NGramRun(file)) }
        for run in runs.indices {
            guard let record = try runs[run].next() else { continue }
            heap.append((record, run))
        }
        heap.sort { $0.record.precedes($1.record) }
    }

    /// The next record, or nil when there are no more.
    mutating func next() throws -> NGramRecord? {
        guard var record = heap.first?.record else { return nil }
        try advance()
        while let other = heap.first?.record, other.hasSymbols(of: record) {
            record.value = UInt32(clamping: UInt64(record.value) + UInt64(other.value))
            try advance()
        }
        return record
    }

    /// Replaces the first of the heap by what follows it in its run.
    private mutating func advance() throws {
        if let record = try runs[heap[0].run].next() {
            heap[0].record = record
        } else {
            heap[0] = heap[heap.count - 1]
            heap.removeLast()
        }
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].record.precedes(heap[least].record) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

/// Sorts records of one length, on disk where they are more than fit in the memory that is allowed.
final class NGramSorter {
    private let order: Int
    private let folder: NGramRunFolder
    private var buffer: UnsafeMutableBufferPointer<NGramRecord>
    private var count = 0
    private let capacity: Int
    private var files: [URL] = []

    /// Uses `bytes` for records and as much again while it sorts.
    init(order: Int, bytes: Int, folder: NGramRunFolder) {
        self.order = order
        self.folder = folder
        capacity = max(bytes / MemoryLayout<NGramRecord>.stride, 1024)
        buffer = .allocate(capacity: 1024)
    }

    deinit {
        buffer.deallocate()
    }

    func append(_ record: NGramRecord) throws {
        if count == buffer.count {
            if count >= capacity {
                try spill()
            } else {
                let larger = UnsafeMutableBufferPointer<NGramRecord>.allocate(capacity: min(capacity, buffer.count * 2))
                _ = larger.update(fromContentsOf: buffer)
                buffer.deallocate()
                buffer = larger
            }
        }
        buffer[count] = record
        count += 1
    }

    private func spill() throws {
        sort()
        files.append(try folder.write(UnsafeMutableBufferPointer(rebasing: buffer[..<count])))
        count = 0
    }

    private func sort() {
        let scratch = UnsafeMutableBufferPointer<NGramRecord>.allocate(capacity: buffer.count)
        let records = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
        let sorted = radixSort(records, scratch: scratch, symbols: order)
        if count > 0, sorted.baseAddress == scratch.baseAddress {
            buffer.deallocate()
            buffer = scratch
        } else {
            scratch.deallocate()
        }
    }

    /// All records in order. The sorter is empty afterwards.
    func finish() throws -> NGramMerge {
        sort()
        let last = buffer
        buffer = .allocate(capacity: 0)
        return try NGramMerge(files: files, memory: last, count: count)
    }
}

/// Counts records in a hash table; a table that is full becomes a sorted run on disk.
final class NGramCounter {
    private let order: Int
    private let folder: NGramRunFolder
    private let maximumSlots: Int
    private var slots: UnsafeMutableBufferPointer<NGramRecord>
    private var used = 0
    private var files: [URL] = []

    /// Uses up to `bytes` for the table and as much again while it sorts.
    init(order: Int, bytes: Int, folder: NGramRunFolder) {
        self.order = order
        self.folder = folder
        var slots = 1 << 12
        while slots * 2 * MemoryLayout<NGramRecord>.stride <= bytes { slots *= 2 }
        maximumSlots = slots
        self.slots = .allocate(capacity: min(slots, 1 << 16))
        self.slots.initialize(repeating: NGramRecord())
    }

    deinit {
        slots.deallocate()
    }

    /// Counts `record`, whose number must be 1 or more.
    @inline(__always)
    func add(_ record: NGramRecord) throws {
        if used * 4 >= slots.count * 3 { try makeRoom() }
        if Self.insert(record, into: slots) { used += 1 }
    }

    @inline(__always)
    private static func insert(_ record: NGramRecord, into slots: UnsafeMutableBufferPointer<NGramRecord>) -> Bool {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: mix(record.high &+ record.keyLow &* 0x9E37_79B9_7F4A_7C15)) & mask
        while true {
            let found = slots[index]
            if found.value == 0 {
                slots[index] = record
                return true
            }
            if found.hasSymbols(of: record) {
                slots[index].value = UInt32(clamping: UInt64(found.value) + UInt64(record.value))
                return false
            }
            index = (index + 1) & mask
        }
    }

    private func makeRoom() throws {
        if slots.count < maximumSlots {
            let larger = UnsafeMutableBufferPointer<NGramRecord>.allocate(capacity: slots.count * 2)
            larger.initialize(repeating: NGramRecord())
            for record in slots where record.value != 0 { _ = Self.insert(record, into: larger) }
            slots.deallocate()
            slots = larger
        } else {
            let count = sort()
            files.append(try folder.write(UnsafeMutableBufferPointer(rebasing: slots[..<count])))
            slots.update(repeating: NGramRecord())
            used = 0
        }
    }

    /// Brings the used records to the front, in order.
    private func sort() -> Int {
        var count = 0
        for index in slots.indices where slots[index].value != 0 {
            slots[count] = slots[index]
            count += 1
        }
        let scratch = UnsafeMutableBufferPointer<NGramRecord>.allocate(capacity: max(count, 1))
        defer { scratch.deallocate() }
        let sorted = radixSort(UnsafeMutableBufferPointer(rebasing: slots[..<count]), scratch: scratch, symbols: order)
        if count > 0, sorted.baseAddress == scratch.baseAddress {
            _ = slots.update(fromContentsOf: UnsafeMutableBufferPointer(rebasing: scratch[..<count]))
        }
        return count
    }

    /// All records in order, with their counts. The counter is empty afterwards.
    func finish() throws -> NGramMerge {
        let count = sort()
        let last = slots
        slots = .allocate(capacity: 0)
        return try NGramMerge(files: files, memory: last, count: count)
    }
}
