// Random bits as a function of a key and a position: nothing to keep, and the same whatever the order of work.
#pragma once

#include "parallel.h"

namespace yy {

/// A 32-bit mixer of full avalanche (the finaliser of MurmurHash3, Appleby 2011).
YY_INLINE uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ h >> 16;
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014): seeds that count up become keys that have nothing in common.
inline uint64_t scrambled(uint64_t seed) {
    seed += 0x9e3779b97f4a7c15u;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
    return seed ^ seed >> 31;
}

/// 32 random bits of position `i` under a scrambled key.
YY_INLINE uint32_t bits(uint64_t key, int64_t i) { return mix(mix(uint32_t(i) ^ uint32_t(key)) + uint32_t(key >> 32)); }

}  // namespace yy
