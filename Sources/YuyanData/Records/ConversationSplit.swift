import YuyanText

/// Holds back about `validationFraction` of the conversations, chosen by a hash of their text: the choice does not depend on order, and copies fall on one
/// side. With two conversations or more and a fraction above 0, at least one is held back.
public func split(_ conversations: [Conversation], validationFraction: Double) -> (train: [Conversation], validation: [Conversation]) {
    func place(_ conversation: Conversation) -> Double {
        let hash = stableHash(conversation.messages.map { "\($0.role)\u{0}\($0.content)" }.joined(separator: "\u{0}"))
        return Double(hash >> 11) / Double(1 << 53)
    }
    let places = conversations.map(place)
    var border = validationFraction
    if validationFraction > 0, conversations.count > 1, let lowest = places.min(), lowest >= border { border = lowest.nextUp }
    let held = places.map { $0 < border }
    return (zip(conversations, held).filter { !$0.1 }.map(\.0), zip(conversations, held).filter(\.1).map(\.0))
}
