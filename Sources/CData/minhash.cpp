// Hashes for finding duplicates: shingles, MinHash signatures (Broder, "On the resemblance and containment of documents", 1997), bottom-k sketches, n-grams.
#include "minhash.h"

#include <algorithm>
#include <cstring>

// A kernel is written once in plain C++ and compiled for each instruction set; the loader picks at start.
#if defined(__x86_64__) && defined(__linux__)
#define CDATA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CDATA_CLONES
#endif
#define CDATA_INLINE static inline __attribute__((always_inline))

namespace {

/// MurmurHash3's finalizers: bijections that leave no visible pattern.
CDATA_INLINE uint32_t mix32(uint32_t x) {
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16);
}

CDATA_INLINE uint64_t mix64(uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
}

/// The two halves of the 128-bit product, folded.
CDATA_INLINE uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return uint64_t(product) ^ uint64_t(product >> 64);
}

CDATA_INLINE bool isDigit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/// Whether the character that ends before `p` is a digit, half or full width (EF BC 90 … EF BC 99).
CDATA_INLINE bool digitBefore(const uint8_t *begin, const uint8_t *p) {
    if (p > begin && isDigit(p[-1])) return true;
    return p - begin >= 3 && p[-3] == 0xEF && p[-2] == 0xBC && p[-1] >= 0x90 && p[-1] <= 0x99;
}

CDATA_INLINE bool digitAt(const uint8_t *p, const uint8_t *end) {
    if (p < end && isDigit(p[0])) return true;
    return end - p >= 3 && p[0] == 0xEF && p[1] == 0xBC && p[2] >= 0x90 && p[2] <= 0x99;
}

template <bool withOffsets>
CDATA_INLINE size_t comparisonScalars(const uint8_t *text, size_t count, const uint16_t *table, uint32_t *scalars, uint32_t *offsets) {
    const uint8_t *p = text, *end = text + count;
    size_t found = 0;
    while (p < end) {
        const uint8_t *start = p;
        uint32_t scalar = *p, meaning;
        if (scalar < 0x80) {
            p += 1;
            meaning = table[scalar];
        } else if (scalar >= 0xE0 && scalar < 0xF0) {
            scalar = (scalar & 15) << 12 | uint32_t(p[1] & 63) << 6 | (p[2] & 63);
            p += 3;
            meaning = table[scalar];
        } else if (scalar < 0xE0) {
            scalar = (scalar & 31) << 6 | (p[1] & 63);
            p += 2;
            meaning = table[scalar];
        } else {
            scalar = (scalar & 7) << 18 | uint32_t(p[1] & 63) << 12 | uint32_t(p[2] & 63) << 6 | (p[3] & 63);
            p += 4;
            meaning = scalar >= 0xE0000 ? 0 : scalar;  // tags and variation selectors show nothing
        }
        if (meaning == 1 && digitBefore(text, start) && digitAt(p, end)) meaning = scalar >= 0xFF01 && scalar <= 0xFF5E ? scalar - 0xFEE0 : scalar;
        scalars[found] = meaning;
        if (withOffsets) offsets[found] = uint32_t(start - text);
        found += meaning > 1;
    }
    return found;
}

constexpr uint32_t shingleBase = 0x9e3779b1u;
constexpr uint64_t gramBase = 0x9e3779b97f4a7c15ull;

/// Sixteen 32-bit numbers; the compiler makes of them what the instruction set has.
typedef uint32_t Lanes __attribute__((vector_size(64)));

/// The minima of 16·`groups` permutations, which stay in registers while the hashes stream by.
template <int groups>
CDATA_INLINE void minima(const uint32_t *hashes, size_t count, const uint32_t *multipliers, const uint32_t *offsets, uint32_t *results) {
    Lanes multiplier[groups], offset[groups], smallest[groups];
    std::memcpy(multiplier, multipliers, sizeof multiplier);
    std::memcpy(offset, offsets, sizeof offset);
    for (int g = 0; g < groups; g++) smallest[g] = ~(Lanes){};
    for (size_t i = 0; i < count; i++) {
        Lanes x = hashes[i] - (Lanes){};
        for (int g = 0; g < groups; g++) {
            Lanes value = x * multiplier[g] + offset[g];
            smallest[g] = value < smallest[g] ? value : smallest[g];
        }
    }
    std::memcpy(results, smallest, sizeof smallest);
}

CDATA_INLINE uint64_t filterBits(uint64_t hash) { return 1ull << (hash & 63) | 1ull << (hash >> 6 & 63) | 1ull << (hash >> 12 & 63); }

}  // namespace

extern "C" size_t cdata_comparison_scalars(const uint8_t *text, size_t count, const uint16_t *table, uint32_t *scalars, uint32_t *offsets) {
    return offsets ? comparisonScalars<true>(text, count, table, scalars, offsets) : comparisonScalars<false>(text, count, table, scalars, nullptr);
}

extern "C" void cdata_hash_scalars(const uint32_t *scalars, size_t count, uint64_t hash[2]) {
    uint64_t a = 0x243f6a8885a308d3ull ^ count, b = 0x13198a2e03707344ull + count;
    for (size_t i = 0; i + 2 <= count; i += 2) {
        uint64_t pair = uint64_t(scalars[i]) << 32 | scalars[i + 1];
        a = fold(a ^ pair, 0xa0761d6478bd642full);
        b = fold(b + pair, 0xe7037ed1a0b428dbull) ^ (b >> 29);
    }
    if (count % 2) {
        a = fold(a ^ scalars[count - 1], 0xa0761d6478bd642full);
        b = fold(b + scalars[count - 1], 0xe7037ed1a0b428dbull) ^ (b >> 29);
    }
    hash[0] = mix64(a);
    hash[1] = mix64(b);
}

// A polynomial in the mixed scalars, mod 2³²: shingles that differ meet with probability 2⁻³². Computed afresh for each place, since that vectorises.
extern "C" CDATA_CLONES void cdata_shingle_hashes(const uint32_t *scalars, size_t count, size_t width, uint32_t *hashes) {
    constexpr size_t block = 256;
    uint32_t mixed[block + 64], sums[block];
    if (count < width) return;
    size_t total = count - width + 1;
    for (size_t start = 0; start < total; start += block) {
        size_t length = std::min(block, total - start);
        for (size_t i = 0; i < length + width - 1; i++) mixed[i] = mix32(scalars[start + i] + 0x7f4a7c15u);
        for (size_t i = 0; i < length; i++) sums[i] = mixed[i];
        for (size_t j = 1; j < width; j++)
            for (size_t i = 0; i < length; i++) sums[i] = sums[i] * shingleBase + mixed[i + j];
        for (size_t i = 0; i < length; i++) hashes[start + i] = mix32(sums[i]);
    }
}

extern "C" void cdata_gram_hashes(const uint32_t *scalars, size_t count, size_t width, uint64_t *hashes) {
    if (count < width) return;
    uint64_t power = 1, sum = 0;
    for (size_t j = 0; j < width; j++) {
        power *= gramBase;
        sum = sum * gramBase + mix64(scalars[j]);
    }
    for (size_t i = 0;; i++) {
        uint64_t hash = (sum ^ (sum >> 32)) * 0xd6e8feb86659fd93ull;
        hashes[i] = hash ^ (hash >> 32);
        if (i + width == count) return;
        sum = sum * gramBase + mix64(scalars[i + width]) - mix64(scalars[i]) * power;
    }
}

extern "C" CDATA_CLONES void cdata_minhash(
    const uint32_t *hashes, size_t count, const uint32_t *multipliers, const uint32_t *offsets, size_t permutations, uint32_t *results) {
    size_t k = 0;
    for (; k + 64 <= permutations; k += 64) minima<4>(hashes, count, multipliers + k, offsets + k, results + k);
    for (; k + 16 <= permutations; k += 16) minima<1>(hashes, count, multipliers + k, offsets + k, results + k);
}

extern "C" void cdata_band_hashes(const uint32_t *minima, size_t bands, size_t rows, uint64_t *hashes) {
    for (size_t band = 0; band < bands; band++) {
        uint64_t hash = (band + 1) * 0x9e3779b97f4a7c15ull;
        for (size_t row = 0; row < rows; row++) {
            hash = (hash ^ minima[band * rows + row]) * 0xd6e8feb86659fd93ull;
            hash ^= hash >> 32;
        }
        hash = mix64(hash);
        hashes[band] = hash ? hash : 1;
    }
}

extern "C" size_t cdata_smallest(uint32_t *hashes, size_t count, size_t limit) {
    // Of many random numbers, those below a bound hold the smallest, most likely: one pass finds them.
    uint32_t below[2048];
    if (limit <= 1024 && count > limit + limit / 2) {
        uint32_t bound = uint32_t((uint64_t(limit) * 5 << 30) / count);
        size_t found = 0;
        for (size_t i = 0; i < count && found < 2048; i++) {
            below[found] = hashes[i];
            found += hashes[i] < bound;
        }
        std::sort(below, below + found);
        size_t different = std::unique(below, below + found) - below;
        if (found < 2048 && different >= limit) {
            std::copy(below, below + limit, hashes);
            return limit;
        }
    }
    // Else selecting first saves sorting what lies far above. std::unique only copies forward, so the numbers stay the same set when more are wanted.
    for (size_t take = limit + limit / 4;; take *= 2) {
        take = std::min(take, count);
        if (take < count) std::nth_element(hashes, hashes + take, hashes + count);
        std::sort(hashes, hashes + take);
        size_t different = std::unique(hashes, hashes + take) - hashes;
        if (different >= limit || take == count) return std::min(different, limit);
    }
}

extern "C" double cdata_jaccard(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count, size_t limit) {
    size_t most = a_count < limit && b_count < limit ? a_count + b_count : limit;
    size_t i = 0, j = 0, common = 0, all = 0;
    while (i < a_count && j < b_count && all < most) {
        uint32_t x = a[i], y = b[j];
        common += x == y;
        i += x <= y;
        j += y <= x;
        all++;
    }
    all += std::min(most - all, a_count - i + b_count - j);
    return all ? double(common) / double(all) : 0;
}

extern "C" void cdata_sort_pairs(uint64_t *keys, uint32_t *values, uint64_t *key_scratch, uint32_t *value_scratch, size_t count) {
    // Least significant digit first over the upper 33 bits; random keys that agree so far are few, and the last loop puts them right.
    constexpr unsigned digit = 11, digits = 3;
    size_t starts[digits][1 << digit] = {};
    for (size_t i = 0; i < count; i++)
        for (unsigned d = 0; d < digits; d++) starts[d][keys[i] >> (64 - digit * (digits - d)) & ((1 << digit) - 1)]++;
    for (unsigned d = 0; d < digits; d++) {
        size_t sum = 0;
        for (size_t &start : starts[d]) {
            size_t next = sum + start;
            start = sum;
            sum = next;
        }
        unsigned shift = 64 - digit * (digits - d);
        for (size_t i = 0; i < count; i++) {
            size_t place = starts[d][keys[i] >> shift & ((1 << digit) - 1)]++;
            key_scratch[place] = keys[i];
            value_scratch[place] = values[i];
        }
        std::swap(keys, key_scratch);
        std::swap(values, value_scratch);
    }
    // After three passes the numbers stand in the caller's scratch; this brings them back.
    for (size_t i = 0; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t value = values[i];
        size_t place = i;
        for (; place > 0 && key_scratch[place - 1] > key; place--) {
            key_scratch[place] = key_scratch[place - 1];
            value_scratch[place] = value_scratch[place - 1];
        }
        key_scratch[place] = key;
        value_scratch[place] = value;
    }
}

extern "C" void cdata_filter_insert(uint64_t *filter, unsigned bits, const uint64_t *hashes, size_t count) {
    for (size_t i = 0; i < count; i++) filter[hashes[i] >> (64 - bits)] |= filterBits(hashes[i]);
}

extern "C" size_t cdata_filter_find(const uint64_t *filter, unsigned bits, const uint64_t *hashes, size_t count, uint32_t *places) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t wanted = filterBits(hashes[i]);
        places[found] = uint32_t(i);
        found += (filter[hashes[i] >> (64 - bits)] & wanted) == wanted;
    }
    return found;
}
