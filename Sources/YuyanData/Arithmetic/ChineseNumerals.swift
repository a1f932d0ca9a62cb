/// Numbers from 0 to 9999 in Chinese numerals, as they are said: 十五, 一百零五, 二千零四十.
enum ChineseNumerals {
    private static let digits = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"]
    private static let units = [(1000, "千"), (100, "百"), (10, "十"), (1, "")]

    static func write(_ number: Int) -> String {
        precondition((0...9999).contains(number), "\(number) is not between 0 and 9999")
        if number == 0 { return digits[0] }
        var text = ""
        var rest = number
        var skipped = false  // one 零 stands for any run of zeros inside
        for (unit, name) in units {
            let digit = rest / unit
            rest %= unit
            if digit == 0 {
                skipped = !text.isEmpty
                continue
            }
            if skipped { text += digits[0] }
            skipped = false
            // 十五, but 一百一十五.
            text += (unit == 10 && digit == 1 && text.isEmpty ? "" : digits[digit]) + name
        }
        return text
    }

    /// The weekday's name: 星期一 for 0 to 星期日 for 6.
    static func weekday(_ index: Int) -> String {
        "星期" + (index == 6 ? "日" : digits[index + 1])
    }
}
