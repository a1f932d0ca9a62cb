import CData

/// The table of one order within a model's image.
struct NGramTable {
    let slots: UnsafeMutablePointer<UInt32>
    let homeSlots: UInt64
    let width: Int

    init(_ layout: NGramLayout, order: Int, base: UnsafeMutableRawPointer) {
        slots = (base + layout.tableOffset(order)).assumingMemoryBound(to: UInt32.self)
        homeSlots = UInt64(layout.homeSlots(order))
        width = layout.width(order)
    }

    /// Where a search begins, and what it looks for.
    @inline(__always)
    func home(_ key: NGramKey) -> (slot: UnsafeMutablePointer<UInt32>, check: UInt32) {
        let hash = key.hash
        return (slots + Int(truncatingIfNeeded: hash.multipliedFullWidth(by: homeSlots).high) &* width, max(UInt32(truncatingIfNeeded: hash), 1))
    }

    /// The slot of an n-gram; the last slot of a table is always free, so that every search ends.
    @inline(__always)
    func find(_ key: NGramKey) -> UnsafeMutablePointer<UInt32>? {
        var (slot, check) = home(key)
        while slot.pointee != check {
            if slot.pointee == 0 { return nil }
            slot += width
        }
        return slot
    }

    /// A slot for an n-gram that is not there yet, its check written.
    func insert(_ key: NGramKey, layout: NGramLayout, order: Int) -> UnsafeMutablePointer<UInt32> {
        var (slot, check) = home(key)
        while slot.pointee != 0 { slot += width }
        // At seven tenths full a run of 1024 used slots has a chance below 10⁻²⁰ (Knuth, volume 3, 6.4).
        precondition(slot - slots < (layout.slots(order) - 1) * width, "a table of n-grams runs over")
        slot.pointee = check
        return slot
    }
}

/// Scores a text in blocks of symbols: for each order the first slot of every n-gram that may be there is asked for before any of them is
/// read, so that the memory's latency is borne side by side instead of one after the other.
struct NGramQuery {
    /// A symbol of the text.
    struct Place {
        /// ln b of the n-grams that end here, by length: 0 where there is none. It comes first, so that it can be pointed at.
        var backoffs: (Float, Float, Float, Float, Float) = (0, 0, 0, 0, 0)
        /// The symbols up to this one.
        var key = NGramKey()
        /// The length of the longest n-gram found that ends here.
        var length = 0
        /// Its ln p.
        var logProbability: Float = 0
        var symbol: UInt16 = 0
    }

    /// The slot where the search for an n-gram begins, what it looks for, and for which place it is.
    struct Probe {
        var slot: UnsafeMutablePointer<UInt32>
        var check: UInt32
        var place: Int32
    }

    static let blockSize = 128

    private(set) var sum = 0.0
    private(set) var events = 0

    private let order: Int
    private let layout: NGramLayout
    private let base: UnsafeMutableRawPointer
    private let unigrams: UnsafePointer<Float>
    /// The last symbol of the block before, and a block.
    private let places: UnsafeMutablePointer<Place>
    private let probes: UnsafeMutablePointer<Probe>
    private var filled = 0

    init(
        layout: NGramLayout, image: NGramImage, places: UnsafeMutableBufferPointer<Place>, probes: UnsafeMutableBufferPointer<Probe>
    ) {
        guard let base = image.bytes.baseAddress, let firstPlace = places.baseAddress, let firstProbe = probes.baseAddress else {
            preconditionFailure("a model without bytes")
        }
        (self.layout, self.base, order) = (layout, base, layout.order)
        unigrams = UnsafePointer((base + layout.unigramOffset).assumingMemoryBound(to: Float.self))
        (self.places, self.probes) = (firstPlace, firstProbe)
        places.initialize(repeating: Place())
    }

    mutating func score(_ bytes: UnsafeBufferPointer<UInt8>, symbols: UnsafeMutablePointer<UInt16>) {
        var inLine = false
        forEachScalar(bytes) { scalar in
            if scalar == 0x0A || scalar == 0x0D {
                if inLine { push(NGramLayout.end) }
                inLine = false
            } else {
                if !inLine { push(NGramLayout.begin) }
                inLine = true
                push(symbols[Int(truncatingIfNeeded: scalar)])
            }
        }
        if inLine { push(NGramLayout.end) }
        flush()
    }

    @inline(__always)
    private mutating func push(_ symbol: UInt16) {
        if filled == Self.blockSize { flush() }
        filled &+= 1
        places[filled].symbol = symbol
    }

    private mutating func flush() {
        for index in stride(from: 1, through: filled, by: 1) {
            let symbol = places[index].symbol
            var key = symbol == NGramLayout.begin ? NGramKey() : places[index - 1].key
            key.append(symbol)
            let unigram = unigrams + Int(symbol) &* 2
            places[index] = Place(backoffs: (unigram[1], 0, 0, 0, 0), key: key, length: 1, logProbability: unigram[0], symbol: symbol)
        }
        for order in stride(from: 2, through: self.order, by: 1) where !extend(to: order) { break }
        for index in stride(from: 1, through: filled, by: 1) where places[index].symbol != NGramLayout.begin {
            var total = Double(places[index].logProbability)
            // A longer history that is in the model, but not with this symbol after it, gives the word to a shorter one.
            let length = places[index].length
            let known = min(places[index - 1].length, order &- 1)
            if length <= known {
                let backoffs = backoffs(index - 1)
                for length in length...known { total += Double(backoffs[length &- 1]) }
            }
            sum += total
            events &+= 1
        }
        places[0] = places[filled]
        filled = 0
    }

    @inline(__always)
    private func backoffs(_ index: Int) -> UnsafeMutablePointer<Float> {
        UnsafeMutableRawPointer(places + index).assumingMemoryBound(to: Float.self)
    }

    /// Looks for the n-grams of one order that end in the block; whether there are any. An n-gram can be in the model only if the one without
    /// its first symbol is, and the one without its last.
    @inline(__always)
    private func extend(to order: Int) -> Bool {
        let table = NGramTable(layout, order: order, base: base)
        var count = 0
        let shorter = order &- 1
        for index in stride(from: 1, through: filled, by: 1)
        where places[index].length == shorter && places[index &- 1].length >= shorter && places[index].symbol != NGramLayout.begin {
            let (slot, check) = table.home(places[index].key.suffix(order))
            cdata_prefetch(slot)
            probes[count] = Probe(slot: slot, check: check, place: Int32(truncatingIfNeeded: index))
            count &+= 1
        }
        var hasAny = false
        for probe in 0..<count {
            var slot = probes[probe].slot
            let check = probes[probe].check
            var found = slot.pointee
            while found != check && found != 0 {
                slot += table.width
                found = slot.pointee
            }
            if found == 0 { continue }
            let index = Int(probes[probe].place)
            places[index].length = order
            places[index].logProbability = Float(bitPattern: slot[1])
            if order < self.order { backoffs(index)[order &- 1] = Float(bitPattern: slot[2]) }
            hasAny = true
        }
        return hasAny
    }
}

/// The Unicode scalars of valid UTF-8.
@inline(__always)
func forEachScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (UInt32) throws -> Void) rethrows {
    guard let base = bytes.baseAddress else { return }
    var position = 0
    while position < bytes.count {
        let first = UInt32(base[position])
        if first < 0x80 {
            position &+= 1
            try body(first)
        } else if first >= 0xE0 && first < 0xF0 {
            let scalar = (first & 0xF) << 12 | (UInt32(base[position &+ 1]) & 0x3F) << 6 | UInt32(base[position &+ 2]) & 0x3F
            position &+= 3
            try body(scalar)
        } else if first < 0xE0 {
            let scalar = (first & 0x1F) << 6 | UInt32(base[position &+ 1]) & 0x3F
            position &+= 2
            try body(scalar)
        } else {
            let tail = (UInt32(base[position &+ 1]) & 0x3F) << 12 | (UInt32(base[position &+ 2]) & 0x3F) << 6 | UInt32(base[position &+ 3]) & 0x3F
            position &+= 4
            try body((first & 7) << 18 | tail)
        }
    }
}
