#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Whether `needle` stands somewhere in `text`.
int cdata_contains(const void *text, size_t text_size, const void *needle, size_t needle_size);

#ifdef __cplusplus
}
#endif
