// The inner products of quantised matrices with a few rows, in three versions (docs/kernels.md).
#include "quantized.h"

namespace yy {

template <int bits> void dotPortable(const Tile &tile, const Activations &x, float *sums) {
    for (int64_t i = 0; i < x.rows * tileOutputs; i++) sums[i] = 0;
    for (int64_t block = 0; block < x.blocks; block++) {
        const uint8_t *codes = tile.codes + block * blockBytes<bits>;
        const uint16_t *scales = tile.scales + block / tile.blocksOfGroup * tileOutputs;
        for (int64_t row = 0; row < x.rows; row++) {
            int64_t at = block * x.rows + row;
            const int8_t *values = x.values + at * blockInputs;
            int32_t dots[tileOutputs] = {};
            for (int64_t i = 0; i < blockInputs; i++)
                for (int64_t o = 0; o < tileOutputs; o++) dots[o] += number<bits>(codes, i, o) * values[i];
            float scale = x.scales[at];
            for (int64_t o = 0; o < tileOutputs; o++) {
                float both = widenHalf(scales[o]) * scale;
                float part = both * float(dots[o]);  // a statement of its own: a fused multiply-add would round otherwise
                sums[row * tileOutputs + o] += part;
            }
        }
    }
}
template void dotPortable<8>(const Tile &, const Activations &, float *);
template void dotPortable<4>(const Tile &, const Activations &, float *);

#if YY_X86

namespace {

/// How far ahead of its reading a tile is asked for, 16 blocks: by itself the hardware stops at the end of a page, and with several rows it sees
/// too little ahead.
template <int bits> constexpr int64_t ahead = 16 * blockBytes<bits>;

/// The weights of a block for 8 outputs, quads 0…7 in a register each: numbers, not codes.
template <int bits> YY_AVX2 YY_INLINE void numbers(const uint8_t *codes, __m256i *w) {
    for (int quad = 0; quad < (bits == 8 ? 8 : 4); quad++) {
        auto c = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(codes + quad * tileOutputs * quadInputs));
        if constexpr (bits == 8) {
            w[quad] = _mm256_xor_si256(c, _mm256_set1_epi8(int8_t(0x80)));
        } else {
            auto low = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
            w[quad] = _mm256_sub_epi8(_mm256_and_si256(c, low), eight);
            w[quad + 4] = _mm256_sub_epi8(_mm256_and_si256(_mm256_srli_epi16(c, 4), low), eight);
        }
    }
}

}  // namespace

// Products of bytes want one operand unsigned: |w|, and x with w's sign. Pairs of them are at most 2·128·127, which 16 bits hold.
template <int bits> YY_AVX2 void dotAVX2(const Tile &tile, const Activations &x, float *sums) {
    for (int64_t half = 0; half < 2; half++) {
        for (int64_t row = 0; row < x.rows; row++) _mm256_storeu_ps(sums + row * tileOutputs + half * 8, _mm256_setzero_ps());
        for (int64_t block = 0; block < x.blocks; block++) {
            __m256i w[8];
            numbers<bits>(tile.codes + block * blockBytes<bits> + half * 32, w);
            auto halves = _mm_loadu_si128(reinterpret_cast<const __m128i *>(tile.scales + block / tile.blocksOfGroup * tileOutputs + half * 8));
            auto scales = _mm256_cvtph_ps(halves);
            for (int64_t row = 0; row < x.rows; row++) {
                int64_t at = block * x.rows + row;
                auto dots = _mm256_setzero_si256();
                for (int quad = 0; quad < 8; quad++) {
                    int32_t four;
                    std::memcpy(&four, x.values + at * blockInputs + quad * quadInputs, 4);
                    auto pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w[quad]), _mm256_sign_epi8(_mm256_set1_epi32(four), w[quad]));
                    dots = _mm256_add_epi32(dots, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
                }
                auto part = _mm256_mul_ps(_mm256_mul_ps(scales, _mm256_set1_ps(x.scales[at])), _mm256_cvtepi32_ps(dots));
                float *sum = sums + row * tileOutputs + half * 8;
                _mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), part));
            }
        }
    }
}
template YY_AVX2 void dotAVX2<8>(const Tile &, const Activations &, float *);
template YY_AVX2 void dotAVX2<4>(const Tile &, const Activations &, float *);

namespace {

/// Some rows from `first` on, whose sums stay in registers. Codes are unsigned as they are; what zero adds to the sums, −zero·Σ x, is where they start.
template <int bits, int rows> YY_AVX512 void rowsVNNI(const Tile &tile, const Activations &x, int64_t first, float *sums) {
    const int8_t *values = x.values + first * blockInputs;
    const float *rowScales = x.scales + first;
    const int32_t *offsets = x.offsets + first;
    const uint8_t *codes = tile.codes;
    const uint16_t *scales = tile.scales;
    auto low = _mm512_set1_epi8(15);
    __m512 totals[rows];
    for (auto &total : totals) total = _mm512_setzero_ps();
    int64_t left = tile.blocksOfGroup;
    for (int64_t block = 0; block < x.blocks; block++) {
        __m512i w[8];
        for (int quad = 0; quad < (bits == 8 ? 8 : 4); quad++) {
            auto c = _mm512_loadu_si512(codes + quad * 64);
            _mm_prefetch(reinterpret_cast<const char *>(codes + quad * 64 + ahead<bits>), _MM_HINT_T0);
            if constexpr (bits == 8) {
                w[quad] = c;
            } else {
                w[quad] = _mm512_and_si512(c, low);
                w[quad + 4] = _mm512_and_si512(_mm512_srli_epi16(c, 4), low);
            }
        }
        auto scale = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(scales)));
        if (--left == 0) {
            scales += tileOutputs;
            _mm_prefetch(reinterpret_cast<const char *>(scales + 64 * tileOutputs), _MM_HINT_T0);
            left = tile.blocksOfGroup;
        }
        for (int row = 0; row < rows; row++) {
            // Two chains, so that one instruction does not wait for the other's sum.
            __m512i dots[2] = {_mm512_set1_epi32(offsets[row]), _mm512_setzero_si512()};
            for (int quad = 0; quad < 8; quad++) {
                int32_t four;
                std::memcpy(&four, values + row * blockInputs + quad * quadInputs, 4);
                dots[quad / 4] = _mm512_dpbusd_epi32(dots[quad / 4], w[quad], _mm512_set1_epi32(four));
            }
            auto all = _mm512_cvtepi32_ps(_mm512_add_epi32(dots[0], dots[1]));
            auto part = _mm512_mul_ps(_mm512_mul_ps(scale, _mm512_set1_ps(rowScales[row])), all);
            totals[row] = _mm512_add_ps(totals[row], part);
        }
        codes += blockBytes<bits>;
        values += x.rows * blockInputs;
        rowScales += x.rows;
        offsets += x.rows;
    }
    for (int row = 0; row < rows; row++) _mm512_storeu_ps(sums + row * tileOutputs, totals[row]);
}

}  // namespace

template <int bits> YY_AVX512 void dotVNNI(const Tile &tile, const Activations &x, float *sums) {
    constexpr decltype(&rowsVNNI<bits, 1>) kernels[] = {rowsVNNI<bits, 1>, rowsVNNI<bits, 2>, rowsVNNI<bits, 3>, rowsVNNI<bits, 4>,
                                                        rowsVNNI<bits, 5>, rowsVNNI<bits, 6>, rowsVNNI<bits, 7>, rowsVNNI<bits, 8>};
    constexpr int64_t most = std::size(kernels);
    for (int64_t row = 0; row < x.rows; row += most) kernels[std::min(most, x.rows - row) - 1](tile, x, row, sums + row * tileOutputs);
}
template YY_AVX512 void dotVNNI<8>(const Tile &, const Activations &, float *);
template YY_AVX512 void dotVNNI<4>(const Tile &, const Activations &, float *);

#endif

}  // namespace yy
