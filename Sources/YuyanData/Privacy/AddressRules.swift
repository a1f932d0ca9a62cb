/// Postal addresses: from the road, village or estate on; province, city and district stay.
extension PrivateScanner {
    /// An address that begins with a province or a city of the gazetteer.
    mutating func address(anchor start: Int, length: Int) -> Int? {
        let hasContext = stands(oneOf: ["住", "地址", "户籍", "户口", "收货", "寄到", "寄往", "籍贯"], before: start, reach: 27)
        return tail(afterDistricts(start + length), hasContext: hasContext)
    }

    /// An address after a word that says so: 住址：建国路 88 号.
    mutating func address(after start: Int) -> Int? {
        var position = start
        while position - start < 9, separatorLength(position) > 0 || stands("在", position) || stands("是", position) || stands("于", position) {
            position += max(separatorLength(position), stands("在", position) || stands("是", position) || stands("于", position) ? 3 : 0)
        }
        // 住 and the like without a colon are words of every day: then a number must follow.
        return tail(afterDistricts(position), hasContext: separatorLength(start) > 0)
    }

    /// Goes on over what stays: 省, 市, 区, 县 and the like, each with up to seven characters before it.
    private func afterDistricts(_ start: Int) -> Int {
        var position = start
        for suffix in Gazetteer.suffixes where stands(suffix, position) {
            position += suffix.utf8CodeUnitCount
            break
        }
        let endings: [StaticString] = ["省", "市", "自治区", "自治州", "自治县", "新区", "区", "县", "旗", "盟", "州"]
        search: while true {
            var next = position
            while next - position < 24, han(next) != 0 {
                let flags = words.flags(of: han(next))
                if flags & PrivacyWords.stop != 0 || flags & PrivacyWords.road != 0 || stands("小区", next) || stands("社区", next) { return position }
                if next > position, let ending = endings.first(where: { stands($0, next) }) {
                    position = next + ending.utf8CodeUnitCount
                    continue search
                }
                // A number before the ending makes it a part of an estate: 科技园三区.
                if flags & PrivacyWords.numeral != 0 { return position }
                next += 3
            }
            // A city without its ending, after its province.
            let place = words.words(han(position), in: bytes, at: position) { length, action in action == .place ? length : nil }
            guard let place else { return position }
            position += place
        }
    }

    /// The road, the number, the building and the room. There must be a road, a village or an estate, and a number of something; where a word
    /// says that an address comes, one of the first is enough.
    private mutating func tail(_ start: Int, hasContext: Bool) -> Int? {
        var position = start
        var segment = start
        var (last, roads, numbers) = (start, 0, 0)
        var isNumber = false
        let limit = start + 150
        scan: while position < limit {
            if isDigit(position) {
                let end = digitsEnd(position)
                guard end - position <= 5, !isLetter(end) || !isWord(end + 1) else { break }
                // 3-502 after a building is a room.
                if numbers > 0, position == last || byte(position - 1) == UInt8(ascii: "-"), byte(end) != UInt8(ascii: "-"), han(end) == 0,
                    !isWord(end),
                    end - position >= 3
                {
                    last = end
                }
                (position, isNumber) = (end, true)
                continue
            }
            if isLetter(position), !isWord(position + 1) || isDigit(position + 1) {
                (position, isNumber) = (position + 1, true)
                continue
            }
            if byte(position) == UInt8(ascii: "-") || byte(position) == UInt8(ascii: "#"), isDigit(position - 1) {
                if byte(position) == UInt8(ascii: "#") { (last, numbers, segment) = (position + 1, numbers + 1, position + 1) }
                position += 1
                continue
            }
            if byte(position) == UInt8(ascii: " "), position == last || isDigit(position + 1) || han(position - 3) != 0 && isDigit(position + 1) {
                position += 1
                if position == last + 1 { segment = position }
                continue
            }
            let scalar = han(position)
            guard scalar != 0 else { break }
            let flags = words.flags(of: scalar)
            if isNumber || position == last && numbers > 0 {
                for unit in Self.numbered where stands(unit, position) {
                    let end = position + unit.utf8CodeUnitCount
                    if stands("号", position), Self.notNumbered.contains(where: { stands($0, end) }) { break scan }
                    (position, last, segment, isNumber) = (end, end, end, false)
                    numbers += 1
                    continue scan
                }
            }
            if flags & PrivacyWords.numeral != 0 {
                (position, isNumber) = (position + 3, true)
                continue
            }
            if flags & PrivacyWords.stop != 0 { break }
            if let place = Self.places.first(where: { stands($0, position) }) {
                position += place.utf8CodeUnitCount
                guard position - segment > 6 || roads > 0 else { break }
                (last, segment, roads, isNumber) = (position, position, roads + 1, false)
                continue
            }
            isNumber = false
            position += 3
            if flags & PrivacyWords.road != 0,
                !stands("道", position - 3) || isDigit(position) || words.flags(of: han(position)) & PrivacyWords.numeral != 0,
                position - segment >= 6 || segment == last && roads > 0
            {
                (last, segment) = (position, position)
                roads += 1
            } else if position - segment > 27 {
                break
            }
        }
        guard roads > 0, numbers > 0 || hasContext, last > start, last > end, start >= end else { return nil }
        // A road's name alone is what a passer-by sees; after a word it is somebody's.
        return found(.address, start..<last)
    }

    private static let numbered: [StaticString] = [
        "号楼", "号院", "号", "栋", "幢", "座", "楼", "层", "室", "单元", "户", "组", "弄", "巷", "队", "门", "排", "房", "社",
    ]
    private static let notNumbered: [StaticString] = ["线", "文", "令", "函", "公告", "文件", "机", "选手", "提案", "决定", "判决", "裁定", "通知", "台风", "院士"]
    private static let places: [StaticString] = [
        "大街", "大道", "胡同", "小区", "花园", "公寓", "大厦", "广场", "新村", "家园", "社区", "街道", "别墅", "花苑", "山庄", "宿舍", "工业园", "产业园", "科技园",
    ]
}
