import CData
import Foundation

extension TextEncoding {
    /// The encoding of a text that begins with these bytes, or nil where none of the known ones gives a text. `isWhole` says that no bytes come
    /// after them: a character that they end in the middle of is a fault then.
    ///
    /// Bytes that are UTF-8 but for a few faults are UTF-8. Of GB 18030 and Big5, which give almost any bytes some reading, the one that finds
    /// more of the common characters is right: the common characters of one are rare ones of the other, kana, Greek or nothing.
    static func detect(_ bytes: UnsafeRawBufferPointer, isWhole: Bool = false) -> TextEncoding? {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { return .utf16 }
        let cut = isWhole ? 0 : (1...3).first { $0 <= bytes.count && isCutOff(bytes, at: bytes.count - $0) } ?? 0
        if isUTF8(UnsafeRawBufferPointer(rebasing: bytes.dropLast(cut))) { return .utf8 }
        let (characters, faults) = countUTF8(bytes, isWhole: isWhole)
        if faults == 0 || faults * 50 <= characters { return .utf8 }
        let candidates = [TextEncoding.gb18030, .big5].compactMap { encoding in plausibility(encoding, bytes).map { (encoding, $0) } }
        // The first wins a tie: GB 18030 holds all that Big5 does.
        guard let best = candidates.max(by: { $0.1 < $1.1 }), best.1 > 0 else { return nil }
        return candidates.first { $0.1 == best.1 }?.0
    }

    /// How well the bytes read in this encoding: from 2, common characters only, down to -1; nil where they do not.
    private static func plausibility(_ encoding: TextEncoding, _ bytes: UnsafeRawBufferPointer) -> Double? {
        guard let converter = TextConverter(encoding) else { return nil }
        let sample = UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 16))
        let text = converter.scalars(sample)
        var (points, characters, faults) = (0, 0, 0)
        for scalar in text where scalar.value >= 0x80 {
            characters += 1
            switch scalar.value {
            case 0xFFFD: faults += 1
            case 0x3001...0x3011, 0x2014...0x2026, 0xFF01...0xFF1F, 0x3000, 0xB7: points += 2
            case 0x4E00...0x9FFF: points += commonCharacters.contains(scalar.value) ? 2 : 0
            default: points -= 1
            }
        }
        guard characters > 0, faults * 50 <= characters else { return nil }
        return Double(points) / Double(characters)
    }

    /// The most frequent characters of modern Chinese prose, five in six of all that it is written with, in simplified and in traditional form.
    private static let commonCharacters = Set(
        """
        的一是了有不在个人这以大我为可用和他年文上来中时能国就到于发要生学也们会成出本作自子面多后得者说下而地家如过之行开现公工里所你都\
        种动最么机对使但然分还它很方数网程看日法前实月小二只将新经件电天其去没些那因无提好第理高事道果着美代器通同图并主样进更业定名十物\
        想周间或三据意常点内加从英司比语入全力信知等目长什计起度解做当己应产化书正手体问每部量明表两与何务已论外员世见期题此心系技教该字\
        布投关车建性重写相设源变类式便被话具制服品言平气九五几界特又科原需西非回算命户头片术水码位由太元统创少合情先供站海别四容记收给视\
        完安利线次活费且像至资接任斯民单放报稿直向保即刊老结总流及传软运打球空章感包决场色基门示编口造游许各北路持推改序义客模师识交才却\
        集形区让东市真指试项处标近影越读立社格习型息台身号功联约再存觉管金取候必光篇始端万马士支音反女确今风战快达难认版称微她介飞求政则\
        带库页白专维受简照戏未级例绍句引组山死把思张清助复南根步走星免频价够导值志尔广展条克效速爱选声议译装列怎录革料米研验欢参节转讲似\
        注曾备易六听查史究故商消亚历乎增告观远古证七京共连印整往令测课终八请神架互须城失望歌索阿评德底强构首极置军画花段队考火态拉络低领\
        率艺眼较离王初热杂乐深密超众显足找办致调响虽半象州食准吃适案细质校官另智谷描友罗获满排览早团百环石叫输著呢钱府载跟病词青享阳华帮\
        断况云纪优您精职除演儿夫述兴状随块奇析止住释争希层院阅际境浏升医阶罢概房括减错宣卷击素买短配独谁预留否举育板干权倒笔护喜谈黑降治\
        個這爲來時國於發學們會後說過開現裏種動麼機對還數網實將經電沒無圖並樣進業間據點內從語長計當應產書體問兩與務論員見題該關車寫設變類\
        話氣幾戶頭術碼統創別記給視線費資單報結總傳軟運決場門編遊許義師識卻區讓東試項處標讀習臺號聯約覺萬馬確風戰達難認稱飛則帶庫頁專維簡\
        戲級紹組張復頻價夠導爾廣條愛選聲議譯裝錄驗歡參節轉講備聽亞歷觀遠證連測課終請須評強構極軍畫隊態絡領藝較離熱雜樂衆顯辦調響雖準喫適\
        細質羅獲滿覽團環輸錢載詞陽華幫斷況雲紀優職兒興狀隨塊釋爭層閱際瀏醫階罷減錯擊買獨誰預舉幹權筆護談裡隻為啟\

        """.unicodeScalars.map(\.value))
}

/// The characters beyond ASCII that are well-formed UTF-8, and the places that are not.
private func countUTF8(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> (characters: Int, faults: Int) {
    var (characters, faults, index) = (0, 0, 0)
    while index < bytes.count {
        let byte = bytes[index]
        index += 1
        guard byte >= 0x80 else { continue }
        let length = utf8Length(bytes, at: index - 1)
        if length > 0 {
            characters += 1
            index += length - 1
        } else if isWhole || !isCutOff(bytes, at: index - 1) {
            faults += 1
        } else {
            break
        }
    }
    return (characters, faults)
}

/// The length of the well-formed UTF-8 sequence that begins here (The Unicode Standard, table 3-7), or 0.
private func utf8Length(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int {
    guard let (length, second) = utf8Form(bytes[index]), index + length <= bytes.count, second.contains(bytes[index + 1]) else { return 0 }
    for more in index + 2..<max(index + length, index + 2) where bytes[more] & 0xC0 != 0x80 { return 0 }
    return length
}

/// Whether the bytes end inside a sequence that begins here and is well-formed so far.
private func isCutOff(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
    guard let (length, second) = utf8Form(bytes[index]), index + length > bytes.count else { return false }
    if index + 1 < bytes.count, !second.contains(bytes[index + 1]) { return false }
    return index + 2 >= bytes.count || bytes[index + 2] & 0xC0 == 0x80
}

/// The length of a sequence that begins with this byte, and what its second byte may be.
private func utf8Form(_ first: UInt8) -> (length: Int, second: ClosedRange<UInt8>)? {
    switch first {
    case 0xC2...0xDF: (2, 0x80...0xBF)
    case 0xE0: (3, 0xA0...0xBF)
    case 0xED: (3, 0x80...0x9F)
    case 0xE1...0xEF: (3, 0x80...0xBF)
    case 0xF0: (4, 0x90...0xBF)
    case 0xF1...0xF3: (4, 0x80...0xBF)
    case 0xF4: (4, 0x80...0x8F)
    default: nil
    }
}

func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return true }
    return cdata_utf8_is_valid(base, bytes.count) != 0
}

/// The number of leading bytes below 0x80.
func asciiPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
    var index = 0
    while index + 8 <= bytes.count, bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 { index += 8 }
    while index < bytes.count, bytes[index] < 0x80 { index += 1 }
    return index
}

/// The number of leading bytes that are well-formed UTF-8.
func validUTF8Prefix(_ bytes: UnsafeRawBufferPointer) -> Int {
    var index = 0
    while index < bytes.count {
        let length = bytes[index] < 0x80 ? 1 : utf8Length(bytes, at: index)
        if length == 0 { break }
        index += length
    }
    return index
}
