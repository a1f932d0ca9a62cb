/// Names of persons: next to a role, a label or a title, and wherever the same name stands again.
extension PrivateScanner {
    /// Names after a role or a label, several in a row where a role has several: 被告人张三、李四. Names that are crossed out already
    /// (张某, 李××) stay.
    mutating func names(after start: Int, needsSeparator: Bool) -> Int? {
        var position = start
        while position - start < 9, separatorLength(position) > 0 { position += separatorLength(position) }
        guard !needsSeparator || position > start else { return nil }
        // With nothing between, words of grammar go on with the sentence.
        guard position > start || !Self.grammar.contains(han(position)), let first = nameEnd(position, isListed: false) else { return nil }
        var end = found(.name, position..<first)
        while true {
            let joint = stands("、", end) || stands("和", end) || stands("与", end) || stands("及", end) ? end + 3 : end
            guard joint > end, let next = nameEnd(joint, isListed: true) else { return end }
            end = found(.name, joint..<next)
        }
    }

    /// Surnames that are other words too, but none that stand before two characters of a name and a title.
    private static let adjectives = "高许武方章石雷游左易".unicodeScalars.map(\.value)
    private static let grammar = "和于向从应能都全有来方单".unicodeScalars.map(\.value)

    /// The name of who is found guilty, as judgments say it: 认定张三犯盗窃罪.
    mutating func name(found start: Int) -> Int? {
        guard let end = nameEnd(start, isListed: true), stands("犯", end) else { return nil }
        return found(.name, start..<end)
    }

    /// Where a name ends that begins here. In a list, where only the one before says that it is a name, all of it must look like one.
    private func nameEnd(_ start: Int, isListed: Bool) -> Int? {
        var characters = SIMD8<UInt32>()
        var flags = SIMD8<UInt16>()
        for index in 0..<6 {
            characters[index] = han(start + 3 * index)
            if characters[index] == 0 { break }
            flags[index] = words.flags(of: characters[index])
        }
        func has(_ index: Int, _ flag: UInt16) -> Bool { flags[index] & flag != 0 }
        /// Whether the sentence can go on with this character.
        func ends(_ index: Int) -> Bool { characters[index] == 0 || has(index, PrivacyWords.follower) }
        guard characters[0] != 0, characters[1] != 0 else { return nil }
        if let end = foreignNameEnd(start) { return end }
        if words.isCompoundSurname(characters[0], characters[1]) {
            guard characters[2] != 0, has(2, PrivacyWords.given) || !ends(2), !isOrganisation(start) else { return nil }
            let isLong = characters[3] != 0 && (has(3, PrivacyWords.given) || ends(4)) && !(has(3, PrivacyWords.follower) && !ends(4))
            return start + (isLong && !has(3, PrivacyWords.placeEnding) ? 12 : 9)
        }
        guard has(0, PrivacyWords.surname), !words.isWord(characters[0], characters[1]), characters[1] != 0x67D0 else { return nil }  // 某
        guard has(1, PrivacyWords.given) || !has(1, PrivacyWords.follower), !has(1, PrivacyWords.placeEnding) || has(1, PrivacyWords.given),
            !isOrganisation(start)
        else { return nil }
        let isStrict = isListed || has(0, PrivacyWords.commonWordSurname)
        if isStrict, !has(1, PrivacyWords.given) { return nil }
        // Two characters: nothing follows that could belong to it.
        if characters[2] == 0 { return start + 6 }
        if characters[2] == 0x67D0 || has(2, PrivacyWords.placeEnding) && !has(2, PrivacyWords.given) { return nil }
        let canBeThird = has(2, PrivacyWords.given)
        let follows = has(2, PrivacyWords.follower)
        if !canBeThird, follows { return start + 6 }
        if isStrict, !canBeThird { return nil }
        // Three: the next character does not belong to it, or the third is one that names have and sentences do not.
        if ends(3) || has(3, PrivacyWords.placeEnding) && characters[4] == 0 { return has(3, PrivacyWords.placeEnding) && !ends(3) ? nil : start + 9 }
        if canBeThird { return follows ? start + 6 : start + 9 }
        return has(1, PrivacyWords.given) && !isStrict ? start + 9 : nil
    }

    /// Names with a dot between their parts, as Uyghurs, Tibetans and foreigners write theirs in Chinese.
    private func foreignNameEnd(_ start: Int) -> Int? {
        var position = start
        var parts = 0
        while true {
            let part = position
            while position - part < 24, han(position) != 0, words.flags(of: han(position)) & PrivacyWords.stop == 0 { position += 3 }
            guard position - part >= 3, position - part <= 18 else { return nil }
            parts += 1
            guard stands("·", position) || stands("•", position) else { break }
            position += stands("·", position) ? 2 : 3
        }
        return parts >= 2 ? position : nil
    }

    /// Whether an organisation's name begins here: 原告张家港某公司.
    private func isOrganisation(_ start: Int) -> Bool {
        var position = start
        while position - start < 72 {
            let scalar = han(position)
            if scalar == 0 { return false }
            if position - start >= 6 {
                if words.isOrganisation(scalar, han(position + 3)) { return true }
                if words.flags(of: scalar) & PrivacyWords.follower != 0, words.flags(of: scalar) & PrivacyWords.given == 0 { return false }
            }
            position += 3
        }
        return false
    }

    /// A name of two to four characters that ends where a title begins. Its characters must look like one; with the surname alone it is
    /// nobody in particular.
    mutating func name(beforeTitle title: Int, length: Int) -> Int? {
        var characters = SIMD4<UInt32>()
        for index in 0..<4 {
            characters[index] = hanBefore(title - 3 * index, limit: end)
            if characters[index] == 0 { break }
        }
        let flags = SIMD4<UInt16>(
            words.flags(of: characters[0]), words.flags(of: characters[1]), words.flags(of: characters[2]), words.flags(of: characters[3]))
        func isGiven(_ index: Int) -> Bool { flags[index] & PrivacyWords.given != 0 }
        /// Whether a name can hold it, though few do.
        func isPossible(_ index: Int) -> Bool {
            isGiven(index) || flags[index] & (PrivacyWords.follower | PrivacyWords.stop | PrivacyWords.placeEnding) == 0
        }
        func isRealSurname(_ index: Int) -> Bool { flags[index] & PrivacyWords.surname != 0 && flags[index] & PrivacyWords.commonWordSurname == 0 }
        func isSurname(_ index: Int) -> Bool { flags[index] & PrivacyWords.surname != 0 }
        guard characters[0] != 0, isPossible(0), !words.isWord(characters[1], characters[0]) else { return nil }
        let isWordBefore = words.isWord(characters[2], characters[1])
        var count = 0
        if isPossible(1), words.isCompoundSurname(characters[3], characters[2]) {
            count = 4
        } else if words.isCompoundSurname(characters[2], characters[1]) {
            count = 3
        } else if isSurname(2), !isWordBefore, !words.isWord(characters[3], characters[2]), isPossible(1),
            Self.adjectives.contains(characters[2]) && isGiven(0) && isGiven(1) || isRealSurname(2) && (isGiven(0) || isGiven(1))
        {
            count = 3
        } else if isRealSurname(1), isGiven(0), !isWordBefore {
            count = 2
        }
        guard count > 0 else { return nil }
        _ = found(.name, title - 3 * count..<title)
        return title + length
    }

    /// Finds the names that were found once wherever else they stand, the longest of those that stand at one place.
    mutating func findNamesAgain() {
        var names: [UInt32: [[UInt8]]] = [:]
        for finding in findings where finding.kind == .name {
            let name = Array(bytes[finding.range])
            if !names[han(finding.range.lowerBound), default: []].contains(name) { names[han(finding.range.lowerBound), default: []].append(name) }
        }
        for first in Array(names.keys) { names[first]?.sort { $0.count > $1.count } }
        var all: [PrivateFinding] = []
        var next = 0
        var position = 0
        while position < bytes.count {
            if next < findings.count, position >= findings[next].range.lowerBound {
                all.append(findings[next])
                position = findings[next].range.upperBound
                next += 1
                continue
            }
            let limit = next < findings.count ? findings[next].range.lowerBound : bytes.count
            let scalar = han(position)
            guard scalar != 0, words.flags(of: scalar) != 0 || names[scalar] != nil else {
                position += 1
                continue
            }
            let name = names[scalar]?.first { name in
                position + name.count <= limit && name.indices.allSatisfy { bytes[position + $0] == name[$0] }
            }
            if let name {
                all.append(PrivateFinding(.name, position..<position + name.count))
                position += name.count
            } else {
                position += 3
            }
        }
        findings = all
    }
}
