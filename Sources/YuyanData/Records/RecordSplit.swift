import YuyanText

/// Holds back about `validationFraction` of the records, chosen by a hash of their text: the choice does not depend on order, and copies fall on one
/// side. With two different ones or more and a fraction above 0, at least one is held back; something is always left to learn from.
public func split(_ records: [Record], validationFraction: Double) -> (train: [Record], validation: [Record]) {
    split(records, validationFraction: validationFraction) { record in
        switch record {
        case .conversation(let conversation): conversation.messages.map { "\($0.role)\u{0}\($0.content)" }.joined(separator: "\u{0}")
        default: record.text
        }
    }
}

/// Divides examples by a hash of their texts, which neither their order nor other examples change; copies fall on one side. With two different ones or
/// more and a fraction above 0, at least one is held back; something is always left to learn from.
public func split(_ examples: [LabelledExample], validationFraction: Double) -> (train: [LabelledExample], validation: [LabelledExample]) {
    split(examples, validationFraction: validationFraction) { $0.texts.joined(separator: "\u{0}") }
}

/// Holds back the items whose keys have a hash in the lowest `validationFraction` of the numbers; at least those with the lowest hash of all, but never
/// those with the highest.
private func split<Item>(_ items: [Item], validationFraction: Double, key: (Item) -> String) -> (train: [Item], validation: [Item]) {
    let places = items.map { Double(stableHash(key($0)) >> 11) / Double(1 << 53) }
    guard validationFraction > 0, let lowest = places.min(), let highest = places.max() else { return (items, []) }
    let border = min(max(validationFraction, lowest.nextUp), highest)
    let isHeldBack = places.map { $0 < border }
    return (zip(items, isHeldBack).filter { !$1 }.map(\.0), zip(items, isHeldBack).filter(\.1).map(\.0))
}
