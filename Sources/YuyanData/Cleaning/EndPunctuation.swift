/// Punctuation that ends a sentence or a line of prose, closing quotes and brackets after it included.
enum EndPunctuation {
    /// `。！？…；：”』」’》）】` and `. ! ? ; : " ' )`
    @inline(__always)
    static func contains(_ value: UInt32) -> Bool {
        switch value {
        case 0x3002, 0xFF01, 0xFF1F, 0x2026, 0xFF1B, 0xFF1A, 0x201D, 0x300F, 0x300D, 0x2019, 0x300B, 0xFF09, 0x3011: true
        case 0x2E, 0x21, 0x3F, 0x3B, 0x3A, 0x22, 0x27, 0x29: true
        default: false
        }
    }

    /// Whether a line without white space at its end ends in one, or in a comma or dash: verse and broken lines do.
    static func ends(_ content: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let last = scalar(in: content, before: content.count)?.value else { return false }
        return contains(last) || last == 0xFF0C || last == 0x2C || last == 0x3001 || last == 0x2014
    }
}
