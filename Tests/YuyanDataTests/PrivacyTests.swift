import Foundation
import Testing

@testable import YuyanData

/// Texts in which ⟦…⟧ marks what is found, and texts in which nothing of the kind is.
private struct Table {
    var kind: PrivateKind
    var positives: [String]
    var nearMisses: [String]
}

private let tables = [
    Table(
        kind: .mobile,
        positives: [
            "⟦13800138000⟧", "电话⟦13912345678⟧。", "手机：⟦199 1234 5678⟧", "⟦186-1234-5678⟧，张", "⟦+8613800138000⟧", "⟦+86 138 0013 8000⟧",
            "⟦008613800138000⟧",
            "⟦86-13800138000⟧", "（⟦+86-138-0013-8000⟧）", "Tel⟦13712345678⟧", "⟦15012345678⟧/⟦15112345678⟧", "打⟦17712345678⟧找我", "⟦(86)13800138000⟧",
            "a ⟦13800138000⟧.",
            "联系方式:⟦16612345678⟧;", "2023 ⟦13812345678⟧",
        ],
        nearMisses: [
            "12800138000", "1380013800", "138001380001", "订单2013800138000", "1700000000000", "13800138000元", "3.13800138000", "13800138000.5",
            "ISBN 978-138-0013-8000",
            "x13800138000", "13800138000abc", "item_13800138000", "https://a.cn/p/13800138000", "id=13800138000", "￥13800138000", "138 0013 80001",
            "138-0013 8000",
            "0-13800138000", "1,380,013,8000", "13800138000%", "8613800138000",
        ]),
    Table(
        kind: .landline,
        positives: [
            "⟦010-62345678⟧", "⟦(010)62345678⟧", "⟦（0571）87654321⟧", "电话：⟦021-62345678-801⟧", "⟦0755-8765432⟧", "⟦010 62345678⟧", "⟦0431-8765 4321⟧",
            "传真⟦02087654321⟧",
            "⟦+86-10-62345678⟧", "⟦010-62345678转8012⟧", "⟦(0571) 87654321 分机 12⟧", "座机⟦05718765432⟧", "⟦0086-571-87654321⟧", "⟦010-6234-5678⟧",
        ],
        nearMisses: [
            "2012-0304-1234567", "010-12345678", "000-62345678", "0123-45678901", "02062345678", "010-6234567", "010-623456789",
            "ISBN 978-7-020-12345678", "0.10-62345678", "026-62345678",
            "0571", "2010-62345678", "0571-9876543", "第010-0000号", "010 2345", "1010-62345678",
        ]),
    Table(
        kind: .identityCard,
        positives: [
            "⟦11010519491231002X⟧", "⟦11010519491231002x⟧",
            "身份证号：⟦440524199001010018⟧",
            "号⟦110105 19491231 002X⟧。", "⟦53010219200508011X⟧", "证件⟦34052419800101001X⟧，", "⟦110105-19491231-002X⟧", "身份证⟦110105491231002⟧",
            "身份证号码为⟦320311770706001⟧",
            "（⟦11010519491231002X⟧）", "身份证⟦11010519491231002X⟧",
            "张三,⟦53010219200508011X⟧,男",
        ],
        nearMisses: [
            "110105194912310021", "11010519491331002X", "11010519490230002X", "99010519491231002X", "110105491231002", "1110105194912310028",
            "11010519491231002Xa", "a11010519491231002X",
            "身份证110105491331002", "11010518491231002X", "110105194912312X", "0.11010519491231002X", "订单110105194912310029", "1101051949123100-2X",
        ]),
    Table(
        kind: .bankCard,
        positives: [
            "⟦4111111111111111⟧", "⟦4111 1111 1111 1111⟧", "⟦5500-0000-0000-0004⟧",
            "卡号：⟦\(luhn("622202000000000000"))⟧",
            "⟦\(luhn("622588123456789"))⟧", "⟦\(luhn("62122612345678901"))⟧。", "⟦3530111333300000⟧", "⟦6011111111111117⟧",
            "⟦\(luhn("955880123456789012"))⟧", "⟦2223003122003222⟧",
            "尾号⟦\(luhn("621700123456789012"))⟧的", "⟦6222 0212 3456 7890 \(luhn("622202123456789012").suffix(3))⟧", "⟦\(luhn("810000000000000"))⟧",
        ],
        nearMisses: [
            "4111111111111112", "411111111111111", "41111111111111111111", "9111111111111111", "1234567812345670", "4111 1111 1111 1112",
            "4111 1111 1111", "4111111111111111元",
            "a4111111111111111", "4111111111111111x", "0.4111111111111111", "7900000000000000", "1700000000000000", "4111-1111 1111-1111",
        ]),
    Table(
        kind: .plate,
        positives: [
            "⟦京A12345⟧", "车牌⟦沪B·8K678⟧，", "⟦粤BD12345⟧", "⟦京AF12345⟧", "⟦苏A12345F⟧", "⟦粤Z1A23港⟧",
            "⟦川A1234学⟧", "⟦鲁B5678挂⟧", "⟦京A1234警⟧",
            "驾驶⟦浙C-12A45⟧轿车", "⟦津A 12345⟧", "⟦豫AA123B⟧", "⟦新A12345⟧。",
        ],
        nearMisses: [
            "京A股大涨", "京A1234", "京A123456", "A12345", "京12345", "京I12345", "京AI2345", "京A12345b", "京AABCDE", "新A1", "贵B站", "沪A12345678", "苏E通卡",
            "云A1234门",
        ]),
    Table(
        kind: .email,
        positives: [
            "⟦abc@qq.com⟧", "邮箱⟦abc@qq.com⟧的", "<⟦a.b+c@mail.example.org⟧>", "mailto:⟦x_y@163.com⟧", "⟦13812345678@163.com⟧", "⟦A-B@A-B.com.cn⟧",
            "（⟦zhang@pku.edu.cn⟧）", "到⟦a1@b2.io⟧。",
            "⟦abc@qq.com⟧.", "，⟦abc@qq.com⟧，⟦d@e.cn⟧", "⟦first.last%x@sub.domain.info⟧", "QQ邮箱：⟦123456@qq.com⟧",
        ],
        nearMisses: [
            "@abc.com", "abc@", "abc@qq", "logo@2x.png", "pkg@1.2.3", "git@github.com:a/b", "abc@.com", "a@b.c", "艾特@小明.com", "abc@qq..com",
            "abc @ qq.com", "x@y_z.com", "npm i @types/node", "abc.@qq.com",
        ]),
    Table(
        kind: .ip,
        positives: [
            "⟦8.8.8.8⟧", "IP：⟦202.96.128.86⟧", "http://⟦192.168.1.1⟧/a", "⟦10.0.0.1⟧:8080", "在⟦114.114.114.114⟧上", "ping ⟦127.0.0.1⟧。",
            "⟦255.255.255.0⟧", "⟦2001:db8:85a3:0:0:8a2e:370:7334⟧",
            "⟦fe80::1⟧", "[⟦2400:3200::1⟧]:53", "⟦240e:1:2:3:4:5:6:7⟧。", "⟦1.2.4.8⟧,",
        ],
        nearMisses: [
            "1.2.3", "1.2.3.4.5", "256.1.1.1", "v1.2.3.4", "版本1.2.3.4", "版本号：99.0.4844.51", "Chrome/99.0.44.51", "01.2.3.4", "1.2.3.4567",
            "3.2.1.1 模型", "12:30:45", "00:1A:2B:3C:4D:5E",
            "std::vector", "a::b", "1.2..3.4", "::", "x1.2.3.4", "更新至 1.2.3.4",
        ]),
    Table(
        kind: .passport,
        positives: [
            "⟦E12345678⟧", "⟦G12345678⟧", "护照号⟦G98765432⟧，", "护照：⟦P1234567⟧", "护照 ⟦D12345678⟧", "护照⟦S1234567⟧。", "passport: ⟦EA1234567⟧",
            "（⟦E87654321⟧）", "护照⟦E20230815⟧", "持⟦E99999999⟧入境",
            "护照号码为⟦PE1234567⟧", "Passport No. ⟦E23456789⟧",
        ],
        nearMisses: [
            "E1234567", "E123456789", "AE12345678", "E20230815", "D12345678", "P1234567", "EA1234567", "E12345678a", "-E12345678", "E1234 5678",
            "e12345678", "E12345678.5", "X12345678", "型号/E12345678",
        ]),
    Table(
        kind: .wechat,
        positives: [
            "微信号：⟦abc_123⟧", "微信：⟦wxid_a1b2c3⟧", "加微信⟦abc_12345⟧", "VX:⟦hello123⟧", "vx：⟦a12345⟧", "微信号是⟦zhangsan⟧", "WeChat: ⟦li-si-99⟧",
            "薇信号：⟦Qq_12345⟧", "V信：⟦abc12345⟧", "微信号 (⟦abc_123⟧)",
            "微信：⟦12345678⟧", "加V：⟦abc1234⟧", "wx: ⟦test_88⟧",
        ],
        nearMisses: [
            "微信支付", "微信公众号", "微信：好友", "微信Android版", "微信 iPhone 版", "微信：ab1", "微信：weixin.qq.com", "wx:if=\"{{a}}\"", "微信号：abc@qq.com", "vx",
            "微信：WeChat", "微信2023年报",
            "微信：123", "wx.request({url})",
        ]),
    Table(
        kind: .qq,
        positives: [
            "QQ：⟦12345678⟧", "qq:⟦10001⟧", "QQ号⟦123456789⟧", "QQ群：⟦987654321⟧", "q群⟦12345678⟧", "扣扣：⟦87654321⟧", "QQ号码是⟦1234567890⟧", "QQ交流群⟦123456⟧",
            "加QQ ⟦54321678⟧", "Qq群号：⟦1122334455⟧",
            "QQ（⟦12345678⟧）", "企鹅号：⟦12345678⟧",
        ],
        nearMisses: [
            "QQ2010", "QQ：1234", "QQ：012345678", "QQ：123456789012", "QQ有12345678人", "QQ12345人", "QQ:12345678@qq.com", "QQ音乐", "QQ：１２３",
            "xqq:12345678", "QQ群2000人", "qq.com", "QQ 12345万", "QQ：12345678a",
        ]),
    Table(
        kind: .address,
        positives: [
            "北京市海淀区⟦中关村大街27号⟧", "住浙江省杭州市西湖区⟦文三路100号5栋2单元301室⟧。", "广东省深圳市南山区⟦科技园路8号⟧", "住址：⟦建国路88号⟧", "江苏省南京市溧水区⟦永阳街道秦淮大道5号⟧", "住河南省安阳县⟦柏庄镇东街村⟧",
            "家住⟦幸福小区3栋201室⟧", "上海市浦东新区⟦世纪大道100号20层⟧", "住四川省成都市⟦人民路三段12号⟧", "地址：湖北省武汉市武昌区⟦珞瑜路1037号⟧，", "户籍地山东省济南市历下区⟦文化东路88号⟧",
            "收货地址：⟦和平里小区8号楼3单元502⟧",
            "湖南省长沙市岳麓区⟦麓山南路932号⟧邮编",
        ],
        nearMisses: [
            "北京是首都", "江苏省南京市中级人民法院", "上海地铁10号线", "北京市的道路很宽", "浙江省教育厅2号文件", "广州塔高600米", "IP地址", "网址是什么", "地址栏", "南京路步行街", "住了3天", "住在小村庄里", "住宅小区",
            "忍不住想知道", "记住主要道路", "住房和城乡建设", "北京时间12点", "四川大学3号楼",
            "住院号12345",
        ]),
    Table(
        kind: .name,
        positives: [
            "原告⟦张三⟧诉", "被告人⟦李建国⟧，男",
            "法定代表人：⟦王小明⟧，总经理", "被害人⟦朱宽荣⟧致其",
            "原审被告人⟦袁德银⟧因邻里纠纷", "姓名：⟦赵雪梅⟧", "⟦李建华⟧先生您好", "联系人 ⟦陈芳⟧", "委托代理人⟦欧阳明⟧，律师", "被告人⟦张伟⟧、⟦李强⟧犯盗窃罪", "患者：⟦刘洋⟧ 男", "请⟦王建国⟧医生看", "证人⟦买买提·艾力⟧说",
            "我叫⟦周晓燕⟧，",
            "原告⟦诸葛小亮⟧", "审判长 ⟦高丽华⟧", "判决认定⟦张克云⟧犯贪污罪。⟦张克云⟧不服", "⟦陈厉杰⟧老师的课", "伙伴⟦刘怡⟧女士", "根据⟦高春辉⟧老师", "⟦诸葛孔明⟧先生", "原告⟦张三⟧说。后来⟦张三⟧走了",
        ],
        nearMisses: [
            "被告人的权利", "原告和被告", "被告应当", "联系人信息", "姓名和地址", "先生女士们", "老师您好", "张先生", "原告江苏某建筑公司", "被告高速公路管理处", "被告人张某某犯", "申请人时间安排", "金融博士", "高级教授",
            "我叫马上来", "原告方必须", "耶鲁大学教授", "工程师杨老师", "证人和信息", "认定方式", "被告王牌集团有限公司",
        ]),
]

/// A number with its Luhn digit.
private func luhn(_ digits: String) -> String {
    let values = digits.utf8.map { $0 - 0x30 }
    let check = (UInt8(0)...9).first { isLuhnValid(values + [$0]) } ?? 0
    return digits + String(check)
}

/// The text without the marks, and the bytes that they enclose.
private func unmark(_ marked: String) -> (text: String, ranges: [Range<Int>]) {
    var text: [UInt8] = []
    var (ranges, start): ([Range<Int>], Int) = ([], 0)
    for scalar in marked.unicodeScalars {
        switch scalar {
        case "⟦": start = text.count
        case "⟧": ranges.append(start..<text.count)
        default: text += String(scalar).utf8
        }
    }
    return (String(decoding: text, as: UTF8.self), ranges)
}

private func masked(_ text: String, _ change: (inout PrivacyConfiguration) -> Void = { _ in }) -> String {
    var configuration = PrivacyConfiguration()
    change(&configuration)
    var text = text
    _ = PrivateData(configuration).clean(&text)
    return text
}

@Suite struct PrivacyTests {
    @Test(arguments: PrivateKind.allCases) func findsWhatIsMarkedAndNothingElse(kind: PrivateKind) throws {
        let table = try #require(tables.first { $0.kind == kind })
        #expect(table.positives.count >= 12 && table.nearMisses.count >= 12)
        for marked in table.positives {
            let (text, ranges) = unmark(marked)
            let found = findPrivateData(in: text).filter { $0.kind == kind }.map(\.range)
            #expect(found == ranges, "\(marked): \(findPrivateData(in: text))")
            // With nothing else to look for it is found as well.
            #expect(findPrivateData(in: text, kinds: [kind]).map(\.range) == ranges, "\(marked) alone")
            #expect(findPrivateData(in: text, kinds: PrivateKind.allCases.filter { $0 != kind }).allSatisfy { $0.kind != kind })
        }
        for text in table.nearMisses {
            let found = findPrivateData(in: text).filter { $0.kind == kind }
            #expect(found.isEmpty, "\(text): \(found)")
        }
    }

    /// Numbers that others have published: the example of GB 11643-1999, test numbers of card schemes, ISO/IEC 7812.
    @Test func checksums() {
        func values(_ text: String) -> [UInt8] { text.utf8.map { $0 - 0x30 } }
        #expect(identityCheck(values("11010519491231002")) == UInt8(ascii: "X"))
        #expect(identityCheck(values("44052418800101001")) == UInt8(ascii: "4"))
        #expect(identityCheck(values("34052419800101001")) == UInt8(ascii: "X"))
        for number in ["79927398713", "4111111111111111", "5555555555554444", "378282246310005", "6011000990139424", "3566002020360505", "0"] {
            #expect(isLuhnValid(values(number)), "\(number)")
        }
        for number in ["79927398710", "79927398714", "4111111111111112", "1"] { #expect(!isLuhnValid(values(number)), "\(number)") }
        #expect(isBirthday(year: 2000, month: 2, day: 29))
        #expect(!isBirthday(year: 1900, month: 2, day: 29))
        #expect(isBirthday(year: 1988, month: 2, day: 29))
        #expect(!isBirthday(year: 1999, month: 4, day: 31))
    }

    @Test func masksStandForWhatIsPrivate() {
        let text =
            "原告王小明，身份证11010519491231002X，住北京市海淀区中关村大街27号，电话13800138000，邮箱a@b.cn。王小明的QQ：12345678，微信号：abc_123，车京A12345，IP 8.8.8.8，护照E12345678，卡4111111111111111，座机010-62345678。"
        #expect(
            masked(text)
                == "原告[人名]，身份证[身份证号]，住北京市海淀区[地址]，电话[手机号]，邮箱[邮箱]。[人名]的QQ：[QQ号]，微信号：[微信号]，车[车牌号]，IP [IP地址]，护照[护照号]，卡[银行卡号]，座机[座机号]。")
        #expect(masked(text) { $0.kinds = [.email] } == text.replacingOccurrences(of: "a@b.cn", with: "[邮箱]"))
        #expect(masked(text) { $0.kinds = [] } == text)
        #expect(masked("编辑部电话010-62345678，作者王强先生") { $0.keep = ["010-62345678", "王强"] } == "编辑部电话010-62345678，作者王强先生")
        var untouched = "没有什么要遮住的。\u{0}\r\n"
        #expect(PrivateData().clean(&untouched) == 0)
        #expect(untouched == "没有什么要遮住的。\u{0}\r\n")
        #expect(PrivateData().name == "privacy")
    }

    @Test func aSecondPassChangesNothing() {
        for text in tables.flatMap({ $0.positives + $0.nearMisses }).map({ unmark($0).text }) {
            let once = masked(text)
            #expect(masked(once) == once, "\(text)")
        }
    }

    /// Fakes are of the kind of what they stand for, hang on nothing but original and seed, and keep the way it is written.
    @Test func fakes() throws {
        func fake(_ text: String, seed: Int = 1) -> String { masked(text) { ($0.mode, $0.seed) = (.fake, seed) } }
        for table in tables {
            for (text, ranges) in table.positives.map(unmark) {
                let replaced = fake(text)
                #expect(replaced == fake(text))
                #expect(replaced != text, "\(text)")
                #expect(fake(text, seed: 2) != replaced || table.kind == .address || table.kind == .name || table.kind == .email, "\(text)")
                let isDifficult = [.landline, .mobile, .address, .wechat, .email, .name].contains(table.kind)
                if !isDifficult {
                    #expect(findPrivateData(in: replaced).filter { $0.kind == table.kind }.count == ranges.count, "\(text) → \(replaced)")
                }
            }
        }
        // The same number, however it is written.
        let digits = fake("13800138000").suffix(8)
        #expect(fake("138-0013-8000") == "154-\(digits.prefix(4))-\(digits.suffix(4))")
        #expect(fake("+86 138 0013 8000") == "+86 154 \(digits.prefix(4)) \(digits.suffix(4))")
        #expect(fake("13800138000。").hasPrefix("154"))
        let card = fake("11010519491231002X").utf8.map { $0 }
        #expect(isIdentityCard(card.prefix(17).map { $0 - 0x30 }, check: card[17]))
        #expect(card[2..<6].allSatisfy { $0 == 0x30 })
        #expect(isBankCard(fake("4111 1111 1111 1111").utf8.filter { $0 != 0x20 }.map { $0 - 0x30 }))
        #expect(fake("010-62345678转12").hasPrefix("010-1"))
        #expect(fake("(0571)87654321").hasPrefix("(0571)1"))
        #expect(fake("+86-10-62345678").hasPrefix("+86-10-1"))
        #expect(["192.0.2.", "198.51.100.", "203.0.113."].contains { fake("8.8.8.8").hasPrefix($0) })
        #expect(fake("fe80::1").hasPrefix("2001:db8:"))
        #expect(fake("邮箱abc@qq.com的").contains("@example."))
        let names = fake("原告张三诉称，张三与被告李四有约")
        #expect(names.unicodeScalars.count == "原告张三诉称，张三与被告李四有约".unicodeScalars.count)
        #expect(names.components(separatedBy: String(names.dropFirst(2).prefix(2))).count >= 3)
    }

    /// Damaged and joined positives: nothing crashes, places are in order within the text, and the rest stays byte for byte.
    @Test func fuzz() {
        var random = SeededRandom(seed: 20)
        let texts = tables.flatMap { $0.positives + $0.nearMisses }.map { Array(unmark($0).text.utf8) }
        let filler = Array("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。".utf8)
        for _ in 0..<6000 {
            var bytes: [UInt8] = []
            for _ in 0..<random.number(in: 1...5) {
                bytes += random.element(of: texts)
                if random.number(in: 0...1) == 0 { bytes += filler.prefix(3 * random.number(in: 0...10)) }
            }
            for _ in 0..<random.number(in: 0...4) where !bytes.isEmpty {
                let place = random.number(in: 0...bytes.count - 1)
                switch random.number(in: 0...3) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(random.number(in: 0x20...0x7E)), at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let whole = Array(text.utf8)
            let findings = findPrivateData(in: text)
            var position = 0
            var expected: [UInt8] = []
            for finding in findings {
                #expect(finding.range.lowerBound >= position && finding.range.upperBound <= whole.count && !finding.range.isEmpty)
                expected += whole[position..<finding.range.lowerBound] + Array(finding.kind.mask.utf8)
                position = finding.range.upperBound
            }
            expected += whole[position...]
            #expect(Array(masked(text).utf8) == expected)
            #expect(String(validating: expected, as: UTF8.self) != nil, "a mask cuts a character in two: \(text)")
        }
    }

    /// What is private is found in the middle of much that is not.
    @Test func findsTheNeedleInTheHaystack() {
        let prose = String(repeating: "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。2023年5月1日，价格为1,299.00元，订单号20230501123456789012。\n", count: 200)
        #expect(findPrivateData(in: prose).isEmpty)
        for table in tables {
            let (text, ranges) = unmark(table.positives[0])
            let found = findPrivateData(in: prose + text + "\n" + prose)
            #expect(
                found.filter { $0.kind == table.kind }.map(\.range)
                    == ranges.map { $0.lowerBound + prose.utf8.count..<$0.upperBound + prose.utf8.count })
        }
    }

    @Test func configurationsAreReadAndWritten() throws {
        var configuration = PrivacyConfiguration()
        configuration.kinds = [.identityCard, .qq]
        let again = try JSONDecoder().decode(PrivacyConfiguration.self, from: try JSONEncoder().encode(configuration))
        #expect(again.kinds == [.identityCard, .qq])
        #expect(PrivacyConfiguration().kinds == PrivateKind.allCases)
    }
}

@Suite(.enabled(if: testData != nil, needsTestData)) struct RealPrivacyTests {
    @Test func judgments() throws {
        let text = try String(contentsOf: #require(testData).appendingPathComponent("noisy/pt.txt"), encoding: .utf8)
        let bytes = Array(text.utf8)
        let findings = findPrivateData(in: text)
        let names = Set(findings.filter { $0.kind == .name }.map { String(decoding: bytes[$0.range], as: UTF8.self) })
        #expect(names.isSuperset(of: ["袁德银", "朱宽荣"]))
        let once = masked(text)
        #expect(!once.contains("朱宽荣") && !once.contains("袁德银"))
        #expect(once.contains("（2022）最高法刑申122号"))
        #expect(masked(once) == once)
    }

    /// Prose of a century ago has no telephones.
    @Test func proseStaysAsItIs() throws {
        for record in try readRecords(#require(testData).appendingPathComponent("text/luxun").path) {
            let findings = findPrivateData(in: record.text).filter { $0.kind != .name && $0.kind != .address }
            #expect(findings.isEmpty, "\(record.id): \(findings)")
        }
    }
}
