#include "search.h"

#include <string.h>

int cdata_contains(const void *text, size_t text_size, const void *needle, size_t needle_size) {
    return memmem(text, text_size, needle, needle_size) != nullptr;
}
