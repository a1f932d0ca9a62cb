/// Whether the last digit is right by Luhn's rule (ISO/IEC 7812-1, annex B): every second digit from the right, the last but one first,
/// counts double, its two digits added, and the sum is a multiple of ten. `digits` are values 0…9.
func isLuhnValid(_ digits: some BidirectionalCollection<UInt8>) -> Bool {
    var (sum, doubles) = (0, false)
    for digit in digits.reversed() {
        let value = doubles ? Int(digit) * 2 : Int(digit)
        sum += value > 9 ? value - 9 : value
        doubles.toggle()
    }
    return sum % 10 == 0
}

/// The check character of an identity card number (GB 11643-1999: ISO 7064, MOD 11-2), in ASCII, for the first 17 digits as values 0…9.
func identityCheck(_ digits: some Collection<UInt8>) -> UInt8 {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    let sum = zip(digits, weights).reduce(0) { $0 + Int($1.0) * $1.1 }
    return Array("10X98765432".utf8)[sum % 11]
}

/// Whether there is such a day in the Gregorian calendar, in years that a living person may be born in.
func isBirthday(year: Int, month: Int, day: Int) -> Bool {
    guard (1900...2049).contains(year), (1...12).contains(month), day >= 1 else { return false }
    let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
    return day <= [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
}

/// The first two digits of administrative division codes (GB/T 2260); 83 is what residence permits for Taiwan's people begin with.
let provinceCodes: [UInt8] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83,
]

/// Whether 17 digits (values 0…9) and a check character are an identity card number.
func isIdentityCard(_ digits: [UInt8], check: UInt8) -> Bool {
    guard digits.count == 17, provinceCodes.contains(digits[0] * 10 + digits[1]) else { return false }
    let date = digits[6..<14].reduce(0) { $0 * 10 + Int($1) }
    guard isBirthday(year: date / 10000, month: date / 100 % 100, day: date % 100) else { return false }
    return identityCheck(digits) == (check == UInt8(ascii: "x") ? UInt8(ascii: "X") : check)
}

/// Whether 15 digits are an identity card number of the old form: division, date of birth in the 20th century, sequence.
func isOldIdentityCard(_ digits: [UInt8]) -> Bool {
    guard digits.count == 15, provinceCodes.contains(digits[0] * 10 + digits[1]) else { return false }
    let date = digits[6..<12].reduce(0) { $0 * 10 + Int($1) }
    return isBirthday(year: 1900 + date / 10000, month: date / 100 % 100, day: date % 100)
}

/// Whether 16 to 19 digits are a card number: the prefixes of UnionPay (62, and 81 and the older 9558 and 9559 of Chinese banks) with any of
/// these lengths, of Visa, Mastercard, JCB and Discover with 16; and Luhn's rule.
func isBankCard(_ digits: [UInt8]) -> Bool {
    guard (16...19).contains(digits.count) else { return false }
    let four = digits.prefix(4).reduce(0) { $0 * 10 + Int($1) }
    let isChinese = four / 100 == 62 || four / 100 == 81 || four == 9558 || four == 9559
    let isForeign = four / 1000 == 4 || (51...55).contains(four / 100) || (2221...2720).contains(four) || (3528...3589).contains(four) || four == 6011
    guard isChinese || isForeign && digits.count == 16 else { return false }
    return isLuhnValid(digits)
}
