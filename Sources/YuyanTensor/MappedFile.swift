public import Foundation

/// A file's bytes, mapped read-only. Pages that a tensor writes to become private copies; the file never changes.
public final class MappedFile {
    public let url: URL
    public let bytes: UnsafeRawBufferPointer

    public init(_ url: URL) throws {
        self.url = url
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else { throw TensorError.file("cannot open \(url.path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw TensorError.file("cannot read \(url.path): \(String(cString: strerror(errno)))") }
        let count = Int(information.st_size)
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED else {
            throw TensorError.file("cannot map \(url.path): \(String(cString: strerror(errno)))")
        }
        bytes = UnsafeRawBufferPointer(start: memory, count: count)
    }

    /// Gives pages inside a range back to the system, which reads them from the file again if they are wanted. Nothing may have been written to them.
    public func release(_ range: Range<Int>) {
        let page = Int(getpagesize())
        let (first, last) = ((range.lowerBound + page - 1) / page * page, range.upperBound / page * page)
        guard let start = bytes.baseAddress, first < last else { return }
        madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, Int32(MADV_DONTNEED))
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }
}
