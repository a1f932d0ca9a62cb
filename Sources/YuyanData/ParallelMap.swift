import Dispatch
import Foundation

/// `items.map(transform)` on all cores, in order. Of several errors the one with the lowest index is thrown, whatever the timing.
func parallelMap<Item: Sendable, Output: Sendable>(_ items: [Item], _ transform: @Sendable (Item) throws -> Output) throws -> [Output] {
    // Several pieces per core level out items of different length; several items per piece keep the cost of a dispatch small.
    let pieces = min(items.count, ProcessInfo.processInfo.activeProcessorCount * 8)
    guard pieces > 1 else { return try items.map(transform) }
    var outputs = [Result<[Output], any Error>?](repeating: nil, count: pieces)
    outputs.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let slots = buffer  // each iteration writes its own slot only
        DispatchQueue.concurrentPerform(iterations: pieces) { piece in
            let range = items.count * piece / pieces..<items.count * (piece + 1) / pieces
            slots[piece] = Result { try items[range].map(transform) }
        }
    }
    return try outputs.flatMap { try $0?.get() ?? [] }
}
