import Foundation

/// Sorts any number of keyed byte strings in bounded memory: runs that fit are sorted and written, then merged. Where keys are equal the bytes
/// decide, so that the result does not depend on the order in which things came.
final class ExternalSorter {
    struct Key: Comparable {
        var primary: UInt64
        var secondary: UInt64 = 0

        static func < (one: Key, other: Key) -> Bool {
            one.primary != other.primary ? one.primary < other.primary : one.secondary < other.secondary
        }
    }

    private struct Entry {
        var key: Key
        var start: Int
        var count: Int
    }

    private let folder: URL
    private let name: String
    private let memory: Int
    private let fanIn: Int
    private var arena: [UInt8] = []
    private var entries: [Entry] = []
    private var runs: [URL] = []
    private var runsMade = 0
    /// How many byte strings were given.
    private(set) var count = 0

    /// A sorter with runs of `memory` bytes as `name-N.run` in `folder`; at most `fanIn` of them are merged at once.
    init(_ folder: URL, name: String = "sort", memory: Int = 64 << 20, fanIn: Int = 64) {
        self.folder = folder
        self.name = name
        self.memory = memory
        self.fanIn = fanIn
    }

    func append(_ key: Key, _ bytes: [UInt8]) throws {
        entries.append(Entry(key: key, start: arena.count, count: bytes.count))
        arena += bytes
        count += 1
        if arena.count + entries.count * MemoryLayout<Entry>.stride >= memory { try writeRun() }
    }

    /// Gives all of it in order. The bytes are valid during the call only.
    func visit(_ body: (Key, UnsafeRawBufferPointer) throws -> Void) throws {
        if !runs.isEmpty { try writeRun() }
        if runs.isEmpty {
            sortEntries()
            try arena.withUnsafeBytes { arena in
                for entry in entries {
                    try body(entry.key, UnsafeRawBufferPointer(rebasing: arena[entry.start..<entry.start + entry.count]))
                }
            }
        } else {
            while runs.count > fanIn {
                let group = Array(runs.prefix(fanIn))
                let merged = try newRun()
                try merge(group) { key, bytes in try Self.write(key, bytes, to: merged) }
                try merged.flush()
                runs = runs.dropFirst(fanIn) + [merged.file]
            }
            try merge(runs, body)
        }
        (arena, entries, runs) = ([], [], [])
    }

    private func sortEntries() {
        arena.withUnsafeBytes { arena in
            entries.sort { one, other in
                one.key != other.key
                    ? one.key < other.key
                    : Self.precedes(
                        UnsafeRawBufferPointer(rebasing: arena[one.start..<one.start + one.count]),
                        UnsafeRawBufferPointer(rebasing: arena[other.start..<other.start + other.count]))
            }
        }
    }

    fileprivate static func precedes(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard let first = one.baseAddress, let second = other.baseAddress else { return one.count < other.count }
        let order = memcmp(first, second, min(one.count, other.count))
        return order != 0 ? order < 0 : one.count < other.count
    }

    private func newRun() throws -> ByteFile {
        runsMade += 1
        return try ByteFile(folder.appendingPathComponent("\(name)-\(runsMade).run"))
    }

    private func writeRun() throws {
        guard !entries.isEmpty else { return }
        sortEntries()
        let run = try newRun()
        try arena.withUnsafeBytes { arena in
            for entry in entries {
                try Self.write(entry.key, UnsafeRawBufferPointer(rebasing: arena[entry.start..<entry.start + entry.count]), to: run)
            }
        }
        try run.flush()
        runs.append(run.file)
        arena.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    private static func write(_ key: Key, _ bytes: UnsafeRawBufferPointer, to run: ByteFile) throws {
        for number in [key.primary, key.secondary, UInt64(bytes.count)] { try run.append(number) }
        try run.append(bytes)
    }

    private func merge(_ runs: [URL], _ body: (Key, UnsafeRawBufferPointer) throws -> Void) throws {
        var sources = try runs.map(SortedRun.init)
        while true {
            // A few dozen comparisons at most: a heap would not pay.
            var least: Int?
            for index in sources.indices where !sources[index].isAtEnd {
                if let best = least, !sources[index].precedes(sources[best]) { continue }
                least = index
            }
            guard let least else { break }
            try sources[least].withCurrent(body)
            try sources[least].advance()
        }
        for run in runs { try? FileManager.default.removeItem(at: run) }
    }
}

/// A sorted run, read entry by entry.
private struct SortedRun {
    private let handle: BlockReader
    private(set) var isAtEnd = false
    private var key = ExternalSorter.Key(primary: 0)
    private var bytes: [UInt8] = []

    init(_ file: URL) throws {
        handle = try BlockReader(file)
        try advance()
    }

    mutating func advance() throws {
        guard let primary = try handle.word(), let secondary = try handle.word(), let count = try handle.word() else {
            isAtEnd = true
            return
        }
        key = ExternalSorter.Key(primary: primary, secondary: secondary)
        try handle.read(Int(count), into: &bytes)
    }

    func precedes(_ other: SortedRun) -> Bool {
        if key != other.key { return key < other.key }
        return bytes.withUnsafeBytes { one in other.bytes.withUnsafeBytes { ExternalSorter.precedes(one, $0) } }
    }

    func withCurrent(_ body: (ExternalSorter.Key, UnsafeRawBufferPointer) throws -> Void) throws {
        try bytes.withUnsafeBytes { try body(key, $0) }
    }
}

/// A file read from front to back through a buffer.
private final class BlockReader {
    private let file: URL
    private let descriptor: Int32
    private var block = [UInt8](repeating: 0, count: 1 << 18)
    private var unread = 0..<0

    init(_ file: URL) throws {
        self.file = file
        descriptor = open(file.path, O_RDONLY)
        guard descriptor >= 0 else { throw DataError.system("read it", file) }
    }

    deinit {
        close(descriptor)
    }

    /// The next eight bytes as a number; nil at the end of the file.
    func word() throws -> UInt64? {
        var value: UInt64 = 0
        let count = try withUnsafeMutableBytes(of: &value) { try fill($0) }
        return count == 8 ? UInt64(littleEndian: value) : nil
    }

    func read(_ count: Int, into bytes: inout [UInt8]) throws {
        if bytes.count < count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
        bytes.removeLast(bytes.count - count)
        guard try bytes.withUnsafeMutableBytes({ try fill($0) }) == count else { throw DataError("\(file.path): ends too early") }
    }

    private func fill(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < target.count {
            if unread.isEmpty {
                let count = block.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw DataError.system("read it", file) }
                guard count > 0 else { break }
                unread = 0..<count
            }
            let count = min(unread.count, target.count - done)
            block.withUnsafeBytes { block in
                UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[unread.lowerBound..<unread.lowerBound + count]))
            }
            unread = unread.lowerBound + count..<unread.upperBound
            done += count
        }
        return done
    }
}
