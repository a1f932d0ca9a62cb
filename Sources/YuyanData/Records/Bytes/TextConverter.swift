import Foundation

/// Turns bytes of another encoding into UTF-8, by iconv(3).
final class TextConverter {
    /// What stands in the output for a byte that is nothing in this encoding: no UTF-8 either, so that whoever reads the output stops there.
    static let fault: UInt8 = 0xFF

    private let descriptor: iconv_t

    /// A converter from an encoding that the system knows by this name; nil where it knows none.
    init?(name: String) {
        guard let descriptor = iconv_open("UTF-8", name), Int(bitPattern: descriptor) != -1 else { return nil }
        self.descriptor = descriptor
    }

    convenience init?(_ encoding: TextEncoding, isBigEndian: Bool = false) {
        switch encoding {
        case .automatic, .utf8: return nil
        case .gb18030: self.init(name: "GB18030")
        case .big5: self.init(name: "BIG5-HKSCS")
        case .utf16: self.init(name: isBigEndian ? "UTF-16BE" : "UTF-16LE")
        }
    }

    deinit {
        iconv_close(descriptor)
    }

    /// How far a conversion came.
    struct Progress {
        /// Bytes taken from the input.
        var taken: Int
        /// Bytes written to the output.
        var given: Int
        /// The byte after them in the input is none of this encoding.
        var isAtFault: Bool
    }

    /// Converts as much as there is room for. What is left of the input without a fault is the beginning of a character.
    func convert(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Progress {
        var source = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: CChar.self))
        var target = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        var (unread, room) = (input.count, output.count)
        let result = iconv(descriptor, &source, &unread, &target, &room)
        let isAtFault = result == -1 && errno == EILSEQ
        return Progress(taken: input.count - unread, given: output.count - room, isAtFault: isAtFault)
    }

    /// The text of these bytes, U+FFFD for each that is none; a character that they end in the middle of is left out.
    func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: utf8(bytes), as: UTF8.self)
    }

    func scalars(_ bytes: UnsafeRawBufferPointer) -> String.UnicodeScalarView { text(bytes).unicodeScalars }

    private func utf8(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 3 / 2)
        withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 1) { room in
            var rest = bytes
            while !rest.isEmpty {
                let progress = convert(rest, into: room)
                result.append(contentsOf: room[..<progress.given])
                if progress.isAtFault { result.append(Self.fault) }
                let taken = progress.taken + (progress.isAtFault ? 1 : 0)
                if taken == 0 { break }
                rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            }
        }
        return result
    }
}
