/// A kind of data that points at a person.
public enum PrivateKind: String, Codable, Sendable, CaseIterable, Hashable {
    /// Mobile numbers: 13800138000, +86 138-0013-8000.
    case mobile
    /// Landline numbers with an area code: 010-62345678, (0571)8765432 转 12.
    case landline
    /// Identity card numbers with a valid date and check digit (GB 11643); old ones of 15 digits after 身份证.
    case identityCard = "identity_card"
    /// Bank card numbers with the prefix of a card scheme and a valid check digit (ISO/IEC 7812).
    case bankCard = "bank_card"
    /// Number plates of vehicles, those of new-energy vehicles too.
    case plate
    /// E-mail addresses.
    case email
    /// IPv4 and IPv6 addresses, private and loopback ones too.
    case ip
    /// Passport numbers: E or G and eight digits; the rarer forms after 护照.
    case passport
    /// WeChat names after 微信, VX and the like.
    case wechat
    /// QQ numbers, of groups too, after QQ and the like.
    case qq
    /// Postal addresses, from the road, village or estate on: province, city and district stay.
    case address
    /// Names of persons next to words that a person's name goes with, and wherever else the same name stands in the text.
    case name

    /// What stands for it in masked text: `[手机号]`.
    public var mask: String {
        switch self {
        case .mobile: "[手机号]"
        case .landline: "[座机号]"
        case .identityCard: "[身份证号]"
        case .bankCard: "[银行卡号]"
        case .plate: "[车牌号]"
        case .email: "[邮箱]"
        case .ip: "[IP地址]"
        case .passport: "[护照号]"
        case .wechat: "[微信号]"
        case .qq: "[QQ号]"
        case .address: "[地址]"
        case .name: "[人名]"
        }
    }
}

/// What becomes of private data.
public enum PrivacyMode: String, Codable, Sendable, CaseIterable {
    /// The kind in brackets stands for it: `[手机号]`.
    case mask
    /// Something of the same shape stands for it that is nobody's, the same for the same everywhere.
    case fake
}

/// Which private data is replaced, and by what.
public struct PrivacyConfiguration: Codable, Sendable {
    /// What is looked for.
    public var kinds = PrivateKind.allCases
    /// What becomes of it.
    public var mode = PrivacyMode.mask
    /// The key of the fakes: another seed gives others.
    public var seed = 0
    /// What stays although it looks private: names of public persons, a publisher's own address.
    public var keep: [String] = []

    /// All kinds, masked.
    public init() {}
}

/// A place where private data stands.
public struct PrivateFinding: Sendable, Hashable {
    /// What it is.
    public var kind: PrivateKind
    /// Where it stands, in UTF-8 bytes from the start of the text.
    public var range: Range<Int>

    /// A place.
    public init(_ kind: PrivateKind, _ range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}

/// The private data in a text, in order; places do not overlap.
public func findPrivateData(in text: String, kinds: [PrivateKind] = PrivateKind.allCases) -> [PrivateFinding] {
    var text = text
    return text.withUTF8 { bytes in
        var scanner = PrivateScanner(bytes, kinds: PrivateKindSet(kinds))
        return scanner.scan()
    }
}

/// Replaces private data by masks or by fakes; the rest of the text stays byte for byte. What is masked once stays as it is in a second pass.
///
///     var text = "电话：13800138000"
///     _ = PrivateData().clean(&text)     // 电话：[手机号]
public struct PrivateData: TextCleaner {
    /// `privacy`.
    public let name = "privacy"
    private let kinds: PrivateKindSet
    private let fakes: PrivateFakes?
    private let keep: Set<String>

    /// A cleaner.
    public init(_ configuration: PrivacyConfiguration = .init()) {
        kinds = PrivateKindSet(configuration.kinds)
        fakes = configuration.mode == .fake ? PrivateFakes(seed: configuration.seed) : nil
        keep = Set(configuration.keep)
    }

    /// Replaces what is private; gives the number of places.
    public func clean(_ text: inout String) -> Int {
        let cleaned = text.withUTF8 { bytes -> (text: String, places: Int)? in
            var scanner = PrivateScanner(bytes, kinds: kinds)
            var findings = scanner.scan()
            if !keep.isEmpty { findings.removeAll { keep.contains(String(decoding: bytes[$0.range], as: UTF8.self)) } }
            guard !findings.isEmpty else { return nil }
            var output: [UInt8] = []
            output.reserveCapacity(bytes.count + findings.count * 16)
            var position = 0
            for finding in findings {
                output += bytes[position..<finding.range.lowerBound]
                if let fakes {
                    output += fakes.fake(finding.kind, of: Array(bytes[finding.range]))
                } else {
                    output += finding.kind.mask.utf8
                }
                position = finding.range.upperBound
            }
            output += bytes[position...]
            return (String(decoding: output, as: UTF8.self), findings.count)
        }
        guard let cleaned else { return 0 }
        text = cleaned.text
        return cleaned.places
    }
}
