import Testing
import YuyanText

@testable import YuyanData

/// Each problem is worked out again from the words of its question alone.
@Suite struct ArithmeticTests {
    private func numbers(_ text: String) -> [Int] {
        text.split { !($0.isASCII && $0.isNumber) }.compactMap { Int($0) }
    }

    private func result(_ problem: ArithmeticProblem) throws -> String {
        let question = problem.question
        let n = numbers(question)
        switch problem.kind {
        case .addition: return String(n[0] + n[1])
        case .subtraction: return String(n[0] - n[1])
        case .multiplication: return String(n[0] * n[1])
        case .division:
            #expect(n[0] % n[1] == 0)
            return String(n[0] / n[1])
        case .remainder:
            #expect(n[0] % n[1] != 0)
            return "\(n[0] / n[1])余\(n[0] % n[1])"
        case .comparison:
            #expect(n[0] != n[1])
            return String(question.contains("大") ? max(n[0], n[1]) : min(n[0], n[1]))
        case .counting:
            let isTakingAway = ["少了", "去掉", "不见了"].contains { question.contains($0) }
            return String(isTakingAway ? n[0] - n[1] : n[0] + n[1])
        case .toChinese: return ChineseNumeralTests.said(n[0])
        case .fromChinese:
            let numeral = question.filter { "零一二三四五六七八九十百千".contains($0) }
            return try #require((0...9999).first { ChineseNumeralTests.said($0) == numeral }.map(String.init))
        case .weekday:
            let names = Array("一二三四五六日")
            let today = try #require(question.firstRange(of: "星期").map { question[$0.upperBound] }.flatMap(names.firstIndex))
            let isPast = question.contains("前")
            let day = (0..<n[0]).reduce(today) { day, _ in isPast ? (day == 0 ? 6 : day - 1) : (day == 6 ? 0 : day + 1) }
            return "星期\(names[day])"
        case .sequence:
            let steps = zip(n, n.dropFirst()).map { $1 - $0 }
            #expect(Set(steps).count == 1 && n.count >= 3)
            return String(n[n.count - 1] + steps[0])
        }
    }

    @Test(arguments: ArithmeticProblem.Kind.allCases) func answersAreRight(kind: ArithmeticProblem.Kind) throws {
        var problems = ArithmeticProblems(seed: 42, kinds: [kind])
        let made = problems.make(400)
        #expect(made.count >= 200)
        for problem in made {
            let expected = try result(problem)
            #expect(problem.fact.hasPrefix(expected), "\(problem.question) \(problem.answer)")
            if kind != .counting { #expect(problem.fact == expected) }
            #expect(problem.answer.hasSuffix(problem.fact + "。"), "\(problem.question) \(problem.answer)")
        }
    }

    @Test func countedThingsKeepTheirMeasureWord() {
        var problems = ArithmeticProblems(seed: 1, kinds: [.counting])
        for problem in problems.make(200) {
            let unit = problem.fact.drop { $0.isNumber }.prefix(1)
            #expect(problem.question.contains { String($0) == unit })
        }
    }

    @Test func theSeedDecidesAndNoQuestionComesTwice() {
        var (one, same, other) = (ArithmeticProblems(seed: 1), ArithmeticProblems(seed: 1), ArithmeticProblems(seed: 2))
        let made = one.make(3000)
        #expect(made.count == 3000)
        #expect(Set(made.map(\.question)).count == 3000)
        let (sameMade, otherMade) = (same.make(3000), other.make(100))
        #expect(sameMade == made)
        #expect(otherMade != Array(made.prefix(100)))
        #expect(Set(made.map(\.kind)) == Set(ArithmeticProblem.Kind.allCases))
    }

    @Test func aKindThatIsUsedUpGivesFewer() {
        var problems = ArithmeticProblems(seed: 1, kinds: [.multiplication])
        let made = problems.make(100_000)
        #expect(made.count <= 81 * 6)
        #expect(made.count > 400)
    }

    @Test func problemsAreConversations() {
        var problems = ArithmeticProblems(seed: 1)
        let conversation = problems.conversations(1)[0]
        #expect(conversation.messages.map(\.role) == ["user", "assistant"])
        #expect(conversation.source == "arithmetic")
    }
}

@Suite struct ChineseNumeralTests {
    /// A second way to say a number: digit by digit, then the rules of reading by replacement.
    static func said(_ number: Int) -> String {
        let names = Array("零一二三四五六七八九")
        let digits = String(number).compactMap(\.wholeNumberValue)
        var text = ""
        for (place, digit) in zip(["千", "百", "十", ""].suffix(digits.count), digits) { text += digit == 0 ? "零" : "\(names[digit])\(place)" }
        while text.contains("零零") { text = text.replacing("零零", with: "零") }
        if text.count > 1, text.hasSuffix("零") { text.removeLast() }
        return text.hasPrefix("一十") ? String(text.dropFirst()) : text
    }

    @Test func numeralsAreSaidRight() {
        #expect(
            [0, 5, 10, 15, 20, 99, 100, 101, 110, 115, 1000, 1001, 1010, 1100, 2040, 9999].map(ChineseNumerals.write) == [
                "零", "五", "十", "十五", "二十", "九十九", "一百", "一百零一", "一百一十", "一百一十五", "一千", "一千零一", "一千零一十", "一千一百", "二千零四十", "九千九百九十九",
            ])
        for number in 0...9999 { #expect(ChineseNumerals.write(number) == Self.said(number)) }
    }
}
