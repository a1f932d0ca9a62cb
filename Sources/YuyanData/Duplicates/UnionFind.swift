/// Sets of records that grow together. The representative of a set is the one of the best rank, whatever the order of the unions.
struct UnionFind {
    private var parents: [UInt32]
    /// The lower, the better; no two of a set are equal.
    private let ranks: [UInt32]

    init(ranks: [UInt32]) {
        self.ranks = ranks
        parents = Array(0..<UInt32(ranks.count))
    }

    /// The representative of the set that a record is in. Paths are halved on the way (Tarjan and van Leeuwen 1984).
    mutating func find(_ record: UInt32) -> UInt32 {
        var record = record
        while parents[Int(record)] != record {
            let parent = parents[Int(record)]
            parents[Int(record)] = parents[Int(parent)]
            record = parents[Int(record)]
        }
        return record
    }

    /// Makes one set of two.
    mutating func union(_ one: UInt32, _ other: UInt32) {
        let (one, other) = (find(one), find(other))
        if ranks[Int(one)] < ranks[Int(other)] { parents[Int(other)] = one } else { parents[Int(one)] = other }
    }

    /// The representative of every record.
    consuming func representatives() -> [UInt32] {
        for record in parents.indices { parents[record] = find(UInt32(record)) }
        return parents
    }
}
