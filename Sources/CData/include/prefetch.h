#pragma once

// Asks for a cache line without waiting for it, which Swift has no word for.
static inline void cdata_prefetch(const void *address) { __builtin_prefetch(address); }
