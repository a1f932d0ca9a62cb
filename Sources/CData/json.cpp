#include "json.h"

#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace {

using simdjson::error_code;
namespace ondemand = simdjson::ondemand;

constexpr int deepest = 512;
/// A document longer than this does not keep its memory for the next.
constexpr size_t kept = 16 << 20;

bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }
bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

std::string_view trimmed(std::string_view token) {
    while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
    return token;
}

/// `-? (0 | [1-9] digits*) (. digits+)? ([eE] [+-]? digits+)?` (RFC 8259, section 6)
bool is_number(std::string_view token) {
    const char *at = token.data(), *end = at + token.size();
    auto digits = [&] {
        const char *first = at;
        while (at < end && is_digit(*at)) at++;
        return at > first;
    };
    if (at < end && *at == '-') at++;
    if (at < end && *at == '0') {
        at++;
    } else if (!digits()) {
        return false;
    }
    if (at < end && *at == '.') {
        at++;
        if (!digits()) return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        if (!digits()) return false;
    }
    return at == end;
}

struct Walk {
    std::vector<cdata_json_node> &nodes;

    void push(std::string_view text, cdata_json_kind kind) {
        nodes.push_back({reinterpret_cast<const unsigned char *>(text.data()), static_cast<uint32_t>(text.size()), static_cast<uint32_t>(kind)});
    }

    bool scalar(std::string_view token) {
        token = trimmed(token);
        if (token == "null") {
            push({}, CDATA_JSON_NULL);
        } else if (token == "true") {
            push({}, CDATA_JSON_TRUE);
        } else if (token == "false") {
            push({}, CDATA_JSON_FALSE);
        } else if (is_number(token)) {
            push(token, CDATA_JSON_NUMBER);
        } else {
            return false;
        }
        return true;
    }

    bool members(ondemand::object object, int depth) {
        size_t start = nodes.size();
        push({}, CDATA_JSON_OBJECT);
        uint32_t count = 0;
        for (auto member : object) {
            std::string_view key;
            if (member.unescaped_key().get(key)) return false;
            push(key, CDATA_JSON_STRING);
            ondemand::value value;
            if (member.value().get(value) || !any(value, depth)) return false;
            count++;
        }
        nodes[start].length = count;
        return true;
    }

    bool elements(ondemand::array array, int depth) {
        size_t start = nodes.size();
        push({}, CDATA_JSON_ARRAY);
        uint32_t count = 0;
        for (auto element : array) {
            ondemand::value value;
            if (element.get(value) || !any(value, depth)) return false;
            count++;
        }
        nodes[start].length = count;
        return true;
    }

    /// A document or a value in it: they have the same methods.
    template <typename Value> bool any(Value &value, int depth) {
        if (depth >= deepest) return false;
        ondemand::json_type type;
        if (value.type().get(type)) return false;
        switch (type) {
        case ondemand::json_type::object: {
            ondemand::object object;
            return !value.get_object().get(object) && members(object, depth + 1);
        }
        case ondemand::json_type::array: {
            ondemand::array array;
            return !value.get_array().get(array) && elements(array, depth + 1);
        }
        case ondemand::json_type::string: {
            std::string_view text;
            if (value.get_string().get(text)) return false;
            push(text, CDATA_JSON_STRING);
            return true;
        }
        default: {
            std::string_view token;
            return !simdjson::simdjson_result<std::string_view>(value.raw_json_token()).get(token) && scalar(token);
        }
        }
    }
};

} // namespace

struct cdata_json_parser {
    ondemand::parser parser;
    std::vector<cdata_json_node> nodes;

    bool parse(unsigned char *bytes, size_t length) {
        nodes.clear();
        if (parser.capacity() > kept && length <= kept) parser = ondemand::parser();
        if (nodes.capacity() > (kept >> 4) && length <= kept) nodes = std::vector<cdata_json_node>();
        // The cursor may look at the byte behind the text: it must not find a bracket or comma of the next record there.
        const unsigned char next = bytes[length];
        bytes[length] = 0;
        const bool is_valid = walk(bytes, length);
        bytes[length] = next;
        return is_valid;
    }

    bool walk(unsigned char *bytes, size_t length) {
        // A root that is neither object nor array leaves the cursor where it is, so that what follows it would not be seen.
        size_t first = 0;
        while (first < length && is_space(static_cast<char>(bytes[first]))) first++;
        if (first == length) return false;
        Walk walk{nodes};
        std::string_view text(reinterpret_cast<const char *>(bytes), length);
        const char start = text[first];
        if (start != '{' && start != '[' && start != '"') return walk.scalar(text.substr(first));
        ondemand::document document;
        if (parser.iterate(text, length + CDATA_JSON_PADDING).get(document)) return false;
        if (!walk.any(document, 0)) return false;
        const char *rest;
        return document.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
    }
};

static_assert(CDATA_JSON_PADDING >= simdjson::SIMDJSON_PADDING);

cdata_json_parser *cdata_json_parser_new(void) { return new (std::nothrow) cdata_json_parser; }

void cdata_json_parser_free(cdata_json_parser *parser) { delete parser; }

int cdata_json_parse(cdata_json_parser *parser, unsigned char *bytes, size_t length, const cdata_json_node **nodes, size_t *count) {
    if (length >= UINT32_MAX) return 1;
    try {
        if (!parser->parse(bytes, length)) return 1;
    } catch (const std::bad_alloc &) {
        return 1;
    }
    *nodes = parser->nodes.data();
    *count = parser->nodes.size();
    return 0;
}

int cdata_utf8_is_valid(const unsigned char *bytes, size_t length) { return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length); }

// MARK: - Writing

namespace {

/// How much longer a byte becomes inside a JSON string: `\n` 1, `\u0001` 5.
constexpr auto extra = [] {
    struct {
        uint8_t of[256] = {};
    } table;
    for (int byte = 0; byte < 0x20; byte++) table.of[byte] = 5;
    for (char byte : {'\b', '\f', '\n', '\r', '\t', '"', '\\'}) table.of[static_cast<unsigned char>(byte)] = 1;
    return table;
}();

/// Whether any of eight bytes is below 0x20, `"` or `\` ("Determine if a word has a byte less than n", S. E. Anderson, Bit Twiddling Hacks). A byte
/// behind a true one may be reported wrongly, a word never.
bool needs_escape(uint64_t word) {
    constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    auto zero = [](uint64_t bytes) { return (bytes - ones) & ~bytes; };
    return ((((word - ones * 0x20) & ~word) | zero(word ^ ones * '"') | zero(word ^ ones * '\\')) & highs) != 0;
}

uint64_t load(const unsigned char *bytes) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

} // namespace

size_t cdata_json_escaped_length(const unsigned char *bytes, size_t length) {
    size_t result = length, index = 0;
    while (index < length) {
        if (index + 8 <= length && !needs_escape(load(bytes + index))) {
            index += 8;
        } else {
            const size_t end = index + 8 <= length ? index + 8 : length;
            for (; index < end; index++) result += extra.of[bytes[index]];
        }
    }
    return result;
}

unsigned char *cdata_json_escape(const unsigned char *bytes, size_t length, unsigned char *output) {
    size_t index = 0;
    while (index < length) {
        if (index + 8 <= length && !needs_escape(load(bytes + index))) {
            std::memcpy(output, bytes + index, 8);
            output += 8;
            index += 8;
            continue;
        }
        const size_t end = index + 8 <= length ? index + 8 : length;
        for (; index < end; index++) {
            const unsigned char byte = bytes[index];
            if (extra.of[byte] == 0) {
                *output++ = byte;
                continue;
            }
            *output++ = '\\';
            switch (byte) {
            case '\b': *output++ = 'b'; break;
            case '\f': *output++ = 'f'; break;
            case '\n': *output++ = 'n'; break;
            case '\r': *output++ = 'r'; break;
            case '\t': *output++ = 't'; break;
            case '"':
            case '\\': *output++ = byte; break;
            default:
                for (char digit : {'u', '0', '0', static_cast<char>('0' + (byte >> 4))}) *output++ = static_cast<unsigned char>(digit);
                *output++ = static_cast<unsigned char>("0123456789abcdef"[byte & 15]);
            }
        }
    }
    return output;
}
