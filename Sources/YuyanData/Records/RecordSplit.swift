import YuyanText

/// Holds back about `validationFraction` of the records, chosen by a hash of their text: the choice does not depend on order, and copies fall on one
/// side. With two or more and a fraction above 0, at least one is held back.
public func split(_ records: [Record], validationFraction: Double) -> (train: [Record], validation: [Record]) {
    func place(_ record: Record) -> Double {
        let text =
            switch record {
            case .conversation(let conversation): conversation.messages.map { "\($0.role)\u{0}\($0.content)" }.joined(separator: "\u{0}")
            default: record.text
            }
        let hash = stableHash(text)
        return Double(hash >> 11) / Double(1 << 53)
    }
    let places = records.map(place)
    var border = validationFraction
    if validationFraction > 0, records.count > 1, let lowest = places.min(), lowest >= border { border = lowest.nextUp }
    let held = places.map { $0 < border }
    return (zip(records, held).filter { !$0.1 }.map(\.0), zip(records, held).filter(\.1).map(\.0))
}
