#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The scalars of a text as it is compared. `table` says of each scalar of the basic plane what it counts as: 0 nothing, 1 punctuation (which counts only
/// between two digits), else itself or its plain form. `text` is well-formed UTF-8. `scalars` has room for `count` numbers; so has `offsets` (or it is
/// null), which gets the byte at which each begins. Gives their number.
size_t cdata_comparison_scalars(const uint8_t *text, size_t count, const uint16_t *table, uint32_t *scalars, uint32_t *offsets);

/// A 128-bit hash of numbers.
void cdata_hash_scalars(const uint32_t *scalars, size_t count, uint64_t hash[2]);

/// The hash of each of the `count` − `width` + 1 windows of `width` ≤ 64 scalars.
void cdata_shingle_hashes(const uint32_t *scalars, size_t count, size_t width, uint32_t *hashes);

/// 64-bit hashes of the windows of `width` scalars, rolling; their number is `count` − `width` + 1.
void cdata_gram_hashes(const uint32_t *scalars, size_t count, size_t width, uint64_t *hashes);

/// minima[k] = min over the hashes x of (multipliers[k]·x + offsets[k]) mod 2³². `permutations` is a multiple of 16.
void cdata_minhash(
    const uint32_t *hashes, size_t count, const uint32_t *multipliers, const uint32_t *offsets, size_t permutations, uint32_t *minima);

/// One hash, never 0, for each band of `rows` minima.
void cdata_band_hashes(const uint32_t *minima, size_t bands, size_t rows, uint64_t *hashes);

/// Moves the (at most `limit`) smallest different hashes to the front, in order, and gives their number. What stands behind them is lost.
size_t cdata_smallest(uint32_t *hashes, size_t count, size_t limit);

/// The Jaccard similarity of two sets, of each of which the smallest hashes (at most `limit`, in order) are given: exact where both are shorter than
/// `limit`, else estimated from the `limit` smallest hashes of the union.
double cdata_jaccard(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count, size_t limit);

/// Sorts keys, and the values with them. The scratch has room for as many.
void cdata_sort_pairs(uint64_t *keys, uint32_t *values, uint64_t *key_scratch, uint32_t *value_scratch, size_t count);

/// Enters hashes into a Bloom filter of 2^`bits` words (three bits in one word for each hash).
void cdata_filter_insert(uint64_t *filter, unsigned bits, const uint64_t *hashes, size_t count);

/// The places of the hashes that the filter may hold. `places` has room for `count`. Gives their number.
size_t cdata_filter_find(const uint64_t *filter, unsigned bits, const uint64_t *hashes, size_t count, uint32_t *places);

#ifdef __cplusplus
}
#endif
