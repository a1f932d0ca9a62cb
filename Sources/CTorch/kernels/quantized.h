// Matrices of 8 and 4 bits as they lie in memory, and the product with a few rows (docs/kernels.md).
#pragma once

#include "instructions.h"
#include "parallel.h"

namespace yy {

/// A tile is 16 outputs, so that their sums are the lanes of one AVX-512 register. Its inputs follow in blocks of 32, over which activations share
/// a scale.
constexpr int64_t tileOutputs = 16, blockInputs = 32;
/// Inputs that one multiply-and-add instruction takes for each output.
constexpr int64_t quadInputs = 4, blockQuads = blockInputs / quadInputs;

/// Codes are unsigned, as the instructions want one operand to be: the number is code − zero.
template <int bits> constexpr int32_t zeroOf = 1 << (bits - 1);

/// Bytes of a block of a tile. [quad][output][4] with 8 bits; with 4, quads 0…3 are the low halves and 4…7 the high halves of [quad][output][4].
template <int bits> constexpr int64_t blockBytes = tileOutputs * blockInputs * bits / 8;

/// Rows of activations, rounded to 8 bits by blocks; what is read together lies together.
struct Activations {
    int64_t rows, blocks;
    const int8_t *values;    // [blocks, rows, 32]
    const float *scales;     // [blocks, rows]
    const int32_t *offsets;  // [blocks, rows]: −zero·Σ values
};

/// One tile's weights.
struct Tile {
    const uint8_t *codes;
    const uint16_t *scales;    // float16 [groups, 16]
    int64_t blocksOfGroup;
};

/// Sums [rows, 16] of one tile. All versions do the same arithmetic in the same order: their results are the same to the bit.
using DotKernel = void (*)(const Tile &, const Activations &, float *sums);
template <int bits> void dotPortable(const Tile &, const Activations &, float *sums);
#if YY_X86
template <int bits> void dotAVX2(const Tile &, const Activations &, float *sums);
template <int bits> void dotVNNI(const Tile &, const Activations &, float *sums);
#endif

/// float16 to float32, subnormal numbers included.
YY_INLINE float widenHalf(uint16_t half) {
    uint32_t sign = uint32_t(half & 0x8000) << 16, rest = half & 0x7fff;
    uint32_t bits = rest >= 0x7c00 ? 0x7f800000 | rest << 13 : (rest << 13) + (112u << 23);
    float result;
    std::memcpy(&result, &bits, 4);
    if (rest < 0x400) result = float(rest) * 0x1p-24f;
    std::memcpy(&bits, &result, 4);
    bits |= sign;
    std::memcpy(&result, &bits, 4);
    return result;
}

/// float32 to float16, to the nearest even; what is too large is infinite.
YY_INLINE uint16_t narrowHalf(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    uint32_t sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    float size;
    std::memcpy(&size, &rest, 4);
    uint32_t normal = (rest + 0xfff + (rest >> 13 & 1) - (112u << 23)) >> 13;
    uint32_t half = size < 0x1p-14f ? uint32_t(__builtin_rintf(size * 0x1p24f)) : normal > 0x7c00 ? 0x7c00 : normal;
    return uint16_t(sign | (value != value ? 0x7e00 : half));
}
YY_INLINE float roundHalf(float value) { return widenHalf(narrowHalf(value)); }

/// The number of input i of the block for output o.
template <int bits> YY_INLINE int32_t number(const uint8_t *block, int64_t i, int64_t o) {
    int64_t quad = i / quadInputs, place = o * quadInputs + i % quadInputs;
    if (bits == 8) return int32_t(block[quad * tileOutputs * quadInputs + place]) - zeroOf<8>;
    uint8_t pair = block[quad % (blockQuads / 2) * tileOutputs * quadInputs + place];
    return (quad < blockQuads / 2 ? pair & 15 : pair >> 4) - zeroOf<4>;
}

}  // namespace yy
