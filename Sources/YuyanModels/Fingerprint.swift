import Foundation
import YuyanTensor

extension LanguageModel {
    /// A hash of the configuration, the precision and the weights, an adapter's too, by which what was computed with the model is known again. Of large matrices 64
    /// evenly spaced kilobytes are looked at: training changes all of them.
    public func fingerprint() throws -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        func mix(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
        try JSONSerialization.data(withJSONObject: configurationJSON, options: .sortedKeys).withUnsafeBytes(mix)
        let floats = (parameters + (adapter?.parameters ?? [])).map { (name: $0.name, value: $0.value) }
        for (name, value) in floats + quantized.flatMap(\.stored) {
            Array("\(name) \(value.dtype.name) \(value.shape)".utf8).withUnsafeBytes(mix)
            try withoutGradient { try value.to(device: .cpu).contiguous() }.withBytes { bytes in
                guard bytes.count > 65536 else { return mix(UnsafeRawBufferPointer(bytes)) }
                for block in 0..<64 {
                    let start = (bytes.count - 1024) / 63 * block
                    mix(UnsafeRawBufferPointer(rebasing: bytes[start..<start + 1024]))
                }
            }
        }
        return String(hash, radix: 16)
    }
}
