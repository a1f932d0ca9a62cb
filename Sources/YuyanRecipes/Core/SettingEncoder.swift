/// Encodes a value as a `Setting`: camelCase names become snake_case keys, nil is left out.
struct SettingEncoder: Encoder {
    /// Where a container leaves what it collected.
    final class Box {
        var value: Setting.Value = .null
    }

    let box = Box()
    /// Keys of a dictionary stay as they are: they are the user's own names.
    var keepsKeys = false

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Configurations and results hold only what a setting can: their encoding fails only by a programmer's error.
    static func encode(_ value: some Encodable) -> Setting {
        do {
            return try box(value)
        } catch {
            preconditionFailure("\(type(of: value)) cannot be encoded: \(error)")
        }
    }

    fileprivate static func box<T: Encodable>(_ value: T) throws -> Setting {
        if value is any ScalarSetting { return Setting(.scalar("\(value)", quoted: (value as? String).map(looksLikeAnotherType) ?? false)) }
        let encoder = SettingEncoder(keepsKeys: value is any TextKeyed)
        try value.encode(to: encoder)
        // A dictionary has another order in each process; what is written, and hashed, has one.
        if encoder.keepsKeys, case .map(let entries) = encoder.box.value { return Setting(.map(entries.sorted { $0.key < $1.key })) }
        return Setting(encoder.box.value)
    }

    /// Text such as `12` or `true`, that YAML would read as something else without quotes.
    private static func looksLikeAnotherType(_ text: String) -> Bool {
        text.isEmpty || Double(setting: text) != nil || Bool(setting: text) != nil || ["null", "~"].contains(text.lowercased())
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .map = box.value {} else { box.value = .map([]) }  // sections may write side by side into one map
        return KeyedEncodingContainer(KeyedContainer<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        box.value = .list([])
        return ListContainer(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleContainer(encoder: self) }
}

private protocol TextKeyed {}
extension Dictionary: TextKeyed where Key == String {}

private struct KeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    var encoder: SettingEncoder
    var codingPath: [any CodingKey] { [] }

    private func append(_ setting: Setting, _ key: Key) {
        guard case .map(let entries) = encoder.box.value else { return }
        encoder.box.value = .map(entries + [.init(encoder.keepsKeys ? key.stringValue : key.stringValue.snakeCase, setting)])
    }

    func encodeNil(forKey key: Key) throws {}
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { append(try SettingEncoder.box(value), key) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        preconditionFailure("a configuration is encoded by its own properties, not by nested containers")
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        preconditionFailure("a configuration is encoded by its own properties, not by nested containers")
    }
    func superEncoder() -> any Encoder { encoder }
    func superEncoder(forKey key: Key) -> any Encoder { encoder }
}

private struct ListContainer: UnkeyedEncodingContainer {
    var encoder: SettingEncoder
    var codingPath: [any CodingKey] { [] }
    var count: Int {
        guard case .list(let items) = encoder.box.value else { return 0 }
        return items.count
    }

    private func append(_ setting: Setting) {
        guard case .list(let items) = encoder.box.value else { return }
        encoder.box.value = .list(items + [setting])
    }

    func encodeNil() throws { append(Setting(.null)) }
    func encode<T: Encodable>(_ value: T) throws { append(try SettingEncoder.box(value)) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        preconditionFailure("a configuration is encoded by its own properties, not by nested containers")
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        preconditionFailure("a configuration is encoded by its own properties, not by nested containers")
    }
    func superEncoder() -> any Encoder { encoder }
}

private struct SingleContainer: SingleValueEncodingContainer {
    var encoder: SettingEncoder
    var codingPath: [any CodingKey] { [] }

    func encodeNil() throws { encoder.box.value = .null }
    func encode<T: Encodable>(_ value: T) throws { encoder.box.value = try SettingEncoder.box(value).value }
}
