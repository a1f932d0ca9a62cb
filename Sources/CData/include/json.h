#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes that must lie readable (and the first of them writable) behind a text to be parsed.
#define CDATA_JSON_PADDING 64

enum cdata_json_kind { CDATA_JSON_NULL, CDATA_JSON_FALSE, CDATA_JSON_TRUE, CDATA_JSON_NUMBER, CDATA_JSON_STRING, CDATA_JSON_ARRAY, CDATA_JSON_OBJECT };

/// A value of a document. The values of an array follow it in order; those of an object follow it too, each behind its key.
typedef struct {
    /// A string's UTF-8 without escapes, or a number as it is written.
    const unsigned char *bytes;
    /// Of strings and numbers the length in bytes, of arrays and objects how many elements or members they have.
    uint32_t length;
    /// `cdata_json_kind`
    uint32_t kind;
} cdata_json_node;

typedef struct cdata_json_parser cdata_json_parser;

cdata_json_parser *cdata_json_parser_new(void);
void cdata_json_parser_free(cdata_json_parser *parser);

/// Parses one JSON value with white space around it, strictly (RFC 8259). Returns 0 and the values in the order of the document, or 1 where the text is not
/// valid, nests deeper than 512 or is longer than 4 GB. Byte `length` is overwritten while it works. The values stand until the parser's next call and
/// as long as the text.
int cdata_json_parse(cdata_json_parser *parser, unsigned char *bytes, size_t length, const cdata_json_node **nodes, size_t *count);

/// Whether the bytes are well-formed UTF-8.
int cdata_utf8_is_valid(const unsigned char *bytes, size_t length);

/// How long a text is as the inside of a JSON string.
size_t cdata_json_escaped_length(const unsigned char *bytes, size_t length);

/// Writes a text as the inside of a JSON string: `"`, `\` and control characters are escaped, nothing else. Returns the end of what it wrote.
unsigned char *cdata_json_escape(const unsigned char *bytes, size_t length, unsigned char *output);

#ifdef __cplusplus
}
#endif
