import CPCRE2

/// A regular expression over UTF-8 by PCRE2 with its just-in-time compiler, Unicode properties on.
final class Pattern: @unchecked Sendable {  // a compiled expression is immutable and PCRE2 may match it from any thread
    let source: String
    private let code: OpaquePointer

    init(_ source: String) throws {
        self.source = source
        var number: Int32 = 0
        var offset = 0
        var source = source
        let code = source.withUTF8 {
            pcre2_compile_8($0.baseAddress, $0.count, UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_NO_UTF_CHECK), &number, &offset, nil)
        }
        guard let code else {
            var message = [UInt8](repeating: 0, count: 256)
            let length = pcre2_get_error_message_8(number, &message, message.count)
            let reason = String(decoding: message.prefix(Int(max(0, length))), as: UTF8.self)
            throw TokenizerError("The regular expression \(source) cannot be compiled: \(reason) at byte \(offset).")
        }
        self.code = code
        pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
    }

    deinit {
        pcre2_code_free_8(code)
    }

    /// Every match from left to right, empty ones left out, as ranges of bytes. `text` must be valid UTF-8.
    func matches(in text: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        guard let data = pcre2_match_data_create_from_pattern_8(code, nil) else { return [] }
        defer { pcre2_match_data_free_8(data) }
        var found: [Range<Int>] = []
        var position = 0
        while position < text.count {
            let result = pcre2_match_8(code, text.baseAddress, text.count, position, UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NOTEMPTY), data, nil)
            guard result > 0, let span = pcre2_get_ovector_pointer_8(data) else { break }
            found.append(span[0]..<span[1])
            position = span[1]
        }
        return found
    }
}
