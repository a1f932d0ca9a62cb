import Foundation
import Testing

@testable import YuyanGeneration

extension RandomStream {
    mutating func below(_ bound: Int) -> Int { Int(uniform() * Double(bound)) }
    mutating func element<T>(of all: [T]) -> T { all[below(all.count)] }
}

/// Whether the whole text matches, by another engine (ICU), in which `\d` and `\w` are Unicode's.
func matches(_ text: String, _ pattern: String) throws -> Bool {
    let pattern = pattern.replacing("\\d", with: "[0-9]").replacing("\\w", with: "[A-Za-z0-9_]")
    let expression = try NSRegularExpression(pattern: "\\A(?:\(pattern))\\z")
    return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
}

extension ByteAutomaton {
    func accepts(_ text: String) -> Bool { isAccepting(next(ByteAutomaton.start, text.utf8)) }
}

/// A pattern over few characters, so that texts match now and then. Reluctant repetitions inside others are left out: ICU misses texts then.
func randomPattern(_ depth: Int, _ random: inout RandomStream) -> String {
    let atoms = ["a", "b", "燕", "é", "0", "\\d", "\\w", "[ab]", "[^a]", "[a-c燕]", ".", "\\.", "\\S", "[\\d\\-x]", "\\u71d5", "🦅", "[一-龥]"]
    func group(_ inside: String) -> String { "(" + (depth % 2 == 0 ? "?:" : "") + inside + ")" }
    guard depth > 0 else { return random.element(of: atoms) }
    switch random.below(6) {
    case 0: return randomPattern(0, &random)
    case 1: return randomPattern(depth - 1, &random) + randomPattern(depth - 1, &random)
    case 2: return group(randomPattern(depth - 1, &random) + "|" + randomPattern(depth - 1, &random))
    case 3: return group(randomPattern(depth - 1, &random)) + random.element(of: ["*", "+", "?"] + (depth == 1 ? ["*?", "+?"] : []))
    case 4: return group(randomPattern(depth - 1, &random)) + random.element(of: ["{2}", "{0,2}", "{1,}", "{2,3}", "{0}"])
    default: return randomPattern(depth - 1, &random) + "|" + randomPattern(depth - 1, &random)
    }
}

@Suite struct RegularExpressionTests {
    @Test func setsOfScalarsAreTheirUTF8() throws {
        var random = RandomStream(seed: 5)
        let borders: [UInt32] = [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF, 0x4E00, 0x9FA5]
        func scalar() -> UInt32 {
            let near = Int(random.element(of: borders)) + random.below(5) - 2
            return UInt32(min(max(random.below(3) == 0 ? random.below(0x110000) : near, 0), 0x10FFFF))
        }
        for _ in 0..<30 {
            let set = ScalarSet(
                (0..<1 + random.below(3)).map { _ in
                    let (one, other) = (scalar(), scalar())
                    return min(one, other)...max(one, other)
                })
            for set in [set, set.inverted] {
                let automaton = try ByteAutomaton(.scalars(set))
                for value in borders + (0..<200).map({ _ in scalar() }) {
                    guard let unicode = Unicode.Scalar(value) else { continue }
                    #expect(automaton.accepts(String(unicode)) == set.contains(value), "\(value) in \(set.ranges)")
                }
                #expect(automaton.next(0, [0xED, 0xA0]) < 0 && automaton.next(0, [0xC0]) < 0 && automaton.next(0, [0xF5]) < 0)
            }
            #expect(set.intersection(set.inverted).isEmpty)
        }
    }

    @Test func acceptsWhatAnotherEngineMatches() throws {
        var random = RandomStream(seed: 1)
        var counts = [false: 0, true: 0]
        for _ in 0..<400 {
            let pattern = randomPattern(1 + random.below(2), &random)
            let automaton = try ByteAutomaton(RegularExpression.grammar(pattern))
            for _ in 0..<20 {
                let text = (0..<random.below(6)).map { _ in random.element(of: ["a", "b", "c", "燕", "é", "0", "7", ".", "-", "x", "\n", "🦅", " "]) }
                    .joined()
                let isMatch = try matches(text, pattern)
                counts[isMatch, default: 0] += 1
                #expect(automaton.accepts(text) == isMatch, "\(pattern) on \(text.debugDescription)")
            }
        }
        #expect(counts[true, default: 0] > 500 && counts[false, default: 0] > 500)
    }

    @Test func patternsAreFoundAnywhereUnlessAnchored() throws {
        for (pattern, text, isMatch) in [
            ("b", "abc", true), ("^b", "abc", false), ("^a", "abc", true), ("b$", "abc", false), ("c$", "abc", true), ("^abc$", "abc", true),
            ("^a|c$", "xc", true),
            ("^b|b$", "abc", false),
        ] {
            #expect(try ByteAutomaton(RegularExpression.grammar(pattern, anywhere: true)).accepts(text) == isMatch, "\(pattern)")
        }
    }

    @Test func distancesAreThoseOfTheShortestTexts() throws {
        let automaton = try ByteAutomaton(RegularExpression.grammar("ab{3,5}|燕c"))
        #expect(automaton.distances[0] == 4)
        #expect(automaton.distances[Int(automaton.next(0, "a".utf8))] == 3)
        #expect(automaton.distances[Int(automaton.next(0, [0xE7]))] == 3)
        #expect(Set(automaton.bytes) == Set("abc燕".utf8))
    }

    @Test(
        arguments: [
            ("a)b", "regex has a ) without its ( at character 2"), ("a(b", "regex has a ( without its ) at character 2"),
            ("燕[ab", "regex has a [ without its ] at character 2"), ("*a", "regex has a * with nothing to repeat at character 1"),
            ("a**", "regex has a * behind a repetition at character 3"), ("a{2", "regex has a { without its } at character 2"),
            ("a{3,2}", "regex has a repetition from 3 down to 2 at character 2"), ("a{x}", "regex has a { that no number follows at character 2"),
            ("a{}", "regex has a { that no number follows at character 2"), ("}", "regex has a } without a backslash at character 1"),
            ("(?=a)", "regex has a look-ahead, look-behind or flag, which cannot be followed, at character 1"),
            ("(a)\\1", "regex has a reference back to a group, which cannot be followed, at character 4"),
            ("\\bword", "regex has a word boundary, which cannot be followed, at character 1"),
            ("\\q", "regex has the unknown escape \\q at character 1"),
            ("[z-a]", "regex has a range from high to low, or with a class at its end, at character 2"),
            ("a^", "regex has a ^ that is not at the beginning at character 2"),
            ("a$b", "regex has a $ that is not at the end at character 2"), ("a\\", "regex has a backslash with nothing behind it at character 2"),
            ("\\x1", "regex has an escape without its hexadecimal digits at character 1"), ("[^\\s\\S]", "regex allows no text at all"),
            ("(((a{1000}){1000}))", "regex needs more than 1000000 states to be followed; shorten its repetitions"),
            ("(a|b)*a(a|b){20}", "regex needs more than 50000 states to be followed; shorten its repetitions"),
        ])
    func mistakesAreToldWithTheirPlace(pattern: String, sentence: String) {
        let error = #expect(throws: GenerationError.self) { try GenerationConfiguration { $0.regex = pattern }.validate() }
        #expect(error?.description == sentence)
    }
}
