// The only door between Swift and libtorch.
//
// A tensor crosses it as an opaque handle that owns one reference (`yy_release` gives it back). Every function that can
// fail returns a status; the sentence that explains it is kept per thread in `yy_last_error`. No C++ exception gets out.
#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yy_tensor_impl *yy_tensor;
typedef struct yy_generator_impl *yy_generator;

typedef enum yy_status {
    YY_OK = 0,
    YY_BAD_ARGUMENT = 1,  // wrong shape, dtype or device: the caller's mistake
    YY_OUT_OF_MEMORY = 2,
} yy_status;

/// The codes are libtorch's own (`c10::ScalarType`).
typedef enum yy_dtype {
    YY_UINT8 = 0,
    YY_INT8 = 1,
    YY_INT16 = 2,
    YY_INT32 = 3,
    YY_INT64 = 4,
    YY_FLOAT16 = 5,
    YY_FLOAT32 = 6,
    YY_FLOAT64 = 7,
    YY_BOOL = 11,
    YY_BFLOAT16 = 15,
} yy_dtype;

/// `cuda < 0` is the CPU, otherwise the index of the CUDA device.
typedef struct yy_options {
    yy_dtype dtype;
    int cuda;
} yy_options;

const char *yy_last_error(void);

// MARK: The library and the machine (runtime.cpp)

const char *yy_torch_version(void);
/// "AVX512", "AVX2", "DEFAULT", ...: what ATen's kernels use.
const char *yy_cpu_capability(void);
/// Whether the processor multiplies bfloat16 natively (AVX512-BF16, AMX or ARM BF16).
bool yy_cpu_has_bfloat16(void);
int yy_thread_count(void);
void yy_set_thread_count(int count);
/// Until `yy_team_end`, which takes what this gives, kernels of our own that the calling thread runs share a team of as many threads (kernels/team.h), and libtorch's
/// operations run on the calling thread alone.
int yy_team_begin(void);
void yy_team_end(int before);
/// The most that kernels written for several instruction sets may use; by default all that the processor has. For tests.
typedef enum yy_instructions { YY_PORTABLE = 0, YY_UP_TO_AVX2 = 1, YY_UP_TO_AVX512 = 2 } yy_instructions;
void yy_limit_instructions(yy_instructions limit);
/// Installs the caching allocator for CPU tensors (kernels/allocator.cpp). Called once, before the first tensor.
void yy_start(void);
/// Loads libtorch_cuda, which is not linked. Fails with a sentence when it is not there.
yy_status yy_cuda_load(void);
int yy_cuda_count(void);
yy_status yy_synchronize(int cuda);

typedef struct yy_memory {
    int64_t live;  // bytes in tensors now
    int64_t peak;  // highest `live` since the start or the last reset
    int64_t held;  // bytes kept for reuse
} yy_memory;
yy_memory yy_memory_statistics(void);
void yy_memory_reset_peak(void);
/// Gives the kept blocks back to the system.
void yy_memory_trim(void);

// MARK: Handles and metadata (handle.cpp)

void yy_release(yy_tensor tensor);
/// A second handle of the same tensor.
yy_status yy_alias(yy_tensor tensor, yy_tensor *out);
int yy_rank(yy_tensor tensor);
int64_t yy_size(yy_tensor tensor, int dimension);
int64_t yy_count(yy_tensor tensor);
yy_dtype yy_dtype_of(yy_tensor tensor);
int yy_cuda_of(yy_tensor tensor);
bool yy_is_contiguous(yy_tensor tensor);
bool yy_requires_grad(yy_tensor tensor);
/// First element of a CPU tensor's memory.
void *yy_data(yy_tensor tensor);

yy_status yy_empty(const int64_t *shape, int rank, yy_options options, yy_tensor *out);
yy_status yy_full(const int64_t *shape, int rank, double value, yy_options options, yy_tensor *out);
yy_status yy_arange(double start, double end, double step, yy_options options, yy_tensor *out);
/// Copies `bytes` bytes of host memory.
yy_status yy_from_host(const void *data, size_t bytes, const int64_t *shape, int rank, yy_options options, yy_tensor *out);
/// A CPU tensor over memory that somebody else owns; `release(context)` is called when the last view is gone.
yy_status yy_borrow(
    void *data, const int64_t *shape, int rank, yy_dtype dtype, void *context, void (*release)(void *), yy_tensor *out);
yy_status yy_to(yy_tensor a, yy_options options, yy_tensor *out);

// MARK: Operations (operations.cpp)

#define YY_UNARY(name) yy_status yy_##name(yy_tensor a, yy_tensor *out);
#define YY_BINARY(name) yy_status yy_##name(yy_tensor a, yy_tensor b, yy_tensor *out);
#define YY_SCALAR(name) yy_status yy_##name##_scalar(yy_tensor a, double b, yy_tensor *out);
#define YY_REDUCTION(name) yy_status yy_##name(yy_tensor a, int dimension, bool keep, yy_tensor *out);
#define YY_ALONG(name) yy_status yy_##name(yy_tensor a, int dimension, yy_tensor *out);

YY_UNARY(neg) YY_UNARY(exp) YY_UNARY(log) YY_UNARY(sqrt) YY_UNARY(rsqrt) YY_UNARY(abs) YY_UNARY(square)
YY_UNARY(tanh) YY_UNARY(sigmoid) YY_UNARY(relu) YY_UNARY(silu) YY_UNARY(gelu)
YY_UNARY(sin) YY_UNARY(cos) YY_UNARY(isfinite) YY_UNARY(logical_not)
YY_UNARY(contiguous) YY_UNARY(clone) YY_UNARY(detach) YY_UNARY(sum_all) YY_UNARY(mean_all) YY_UNARY(max_all) YY_UNARY(min_all)
YY_BINARY(add) YY_BINARY(sub) YY_BINARY(mul) YY_BINARY(div) YY_BINARY(maximum) YY_BINARY(minimum)
YY_BINARY(eq) YY_BINARY(ne) YY_BINARY(lt) YY_BINARY(le) YY_BINARY(gt) YY_BINARY(ge) YY_BINARY(logical_and) YY_BINARY(logical_or)
YY_BINARY(matmul) YY_BINARY(embedding)
YY_SCALAR(add) YY_SCALAR(mul) YY_SCALAR(div) YY_SCALAR(pow) YY_SCALAR(eq) YY_SCALAR(ne) YY_SCALAR(lt) YY_SCALAR(le) YY_SCALAR(gt) YY_SCALAR(ge)
YY_REDUCTION(sum) YY_REDUCTION(mean) YY_REDUCTION(amax) YY_REDUCTION(amin) YY_REDUCTION(argmax) YY_REDUCTION(logsumexp)
YY_ALONG(softmax) YY_ALONG(log_softmax) YY_ALONG(cumsum) YY_ALONG(unsqueeze) YY_ALONG(squeeze)

yy_status yy_clamp(yy_tensor a, double low, double high, yy_tensor *out);
yy_status yy_where(yy_tensor condition, yy_tensor a, yy_tensor b, yy_tensor *out);
yy_status yy_masked_fill(yy_tensor a, yy_tensor mask, double value, yy_tensor *out);
yy_status yy_tril(yy_tensor a, int diagonal, yy_tensor *out);

yy_status yy_reshape(yy_tensor a, const int64_t *shape, int rank, yy_tensor *out);
yy_status yy_expand(yy_tensor a, const int64_t *shape, int rank, yy_tensor *out);
yy_status yy_permute(yy_tensor a, const int64_t *order, int rank, yy_tensor *out);
yy_status yy_transpose(yy_tensor a, int first, int second, yy_tensor *out);
yy_status yy_narrow(yy_tensor a, int dimension, int64_t start, int64_t length, yy_tensor *out);
yy_status yy_select(yy_tensor a, int dimension, int64_t index, yy_tensor *out);
yy_status yy_cat(const yy_tensor *tensors, int count, int dimension, yy_tensor *out);
yy_status yy_stack(const yy_tensor *tensors, int count, int dimension, yy_tensor *out);
/// All slices of a dimension, which disappears: as many as its size.
yy_status yy_unbind(yy_tensor a, int dimension, yy_tensor *outs);
yy_status yy_index_select(yy_tensor a, int dimension, yy_tensor indices, yy_tensor *out);
yy_status yy_gather(yy_tensor a, int dimension, yy_tensor indices, yy_tensor *out);
yy_status yy_topk(yy_tensor a, int64_t k, int dimension, yy_tensor *values, yy_tensor *indices);
yy_status yy_sort(yy_tensor a, int dimension, bool descending, yy_tensor *values, yy_tensor *indices);

/// y = x·Wᵀ + b, with W [out, in]; `bias` may be null. A few rows of bfloat16 on the CPU go through kernels/matvec.cpp.
yy_status yy_linear(yy_tensor x, yy_tensor weight, yy_tensor bias, yy_tensor *out);
/// x/√(mean(x²) + ε)·w over the last dimension, mean and quotient in float32. Where there is `more`, x + more takes the place of x, and is given back too.
yy_status yy_rms_norm(yy_tensor x, yy_tensor more, yy_tensor weight, double epsilon, yy_tensor *sum, yy_tensor *out);
/// (x − mean)/√(variance + ε)·w + b likewise; `bias` may be null.
yy_status yy_layer_norm(yy_tensor x, yy_tensor more, yy_tensor weight, yy_tensor bias, double epsilon, yy_tensor *sum, yy_tensor *out);
/// x·σ(x)·factor.
yy_status yy_silu_gated(yy_tensor x, yy_tensor factor, yy_tensor *out);
yy_status yy_cross_entropy(yy_tensor logits, yy_tensor targets, int64_t ignored, yy_tensor *out);

yy_status yy_copy_(yy_tensor target, yy_tensor source);
yy_status yy_fill_(yy_tensor target, double value);
yy_status yy_add_(yy_tensor target, yy_tensor source, double scale);
yy_status yy_mul_(yy_tensor target, double factor);

/// Any operator by its dispatcher name ("aten::roll", overload ""), boxed: for what has no function here.
typedef enum yy_value_kind { YY_NONE, YY_TENSOR, YY_INT, YY_DOUBLE, YY_BOOLEAN, YY_INTS } yy_value_kind;
typedef struct yy_value {
    yy_value_kind kind;
    yy_tensor tensor;
    int64_t integer;
    double real;
    const int64_t *integers;
    int count;
} yy_value;
yy_status yy_call(const char *name, const char *overload, const yy_value *arguments, int count, yy_tensor *outs, int *out_count);

// MARK: Random numbers (random.cpp)

yy_status yy_generator_new(uint64_t seed, int cuda, yy_generator *out);
void yy_generator_release(yy_generator generator);
/// The state as a CPU uint8 tensor.
yy_status yy_generator_state(yy_generator generator, yy_tensor *out);
yy_status yy_generator_set_state(yy_generator generator, yy_tensor state);
yy_status yy_randn(const int64_t *shape, int rank, yy_generator generator, yy_options options, yy_tensor *out);
yy_status yy_rand(const int64_t *shape, int rank, yy_generator generator, yy_options options, yy_tensor *out);
yy_status yy_randint(
    int64_t low, int64_t high, const int64_t *shape, int rank, yy_generator generator, yy_options options, yy_tensor *out);
yy_status yy_multinomial(yy_tensor probabilities, int64_t count, yy_generator generator, yy_tensor *out);

// MARK: Gradients (autograd.cpp)

bool yy_grad_enabled(void);
void yy_set_grad_enabled(bool enabled);
void *yy_inference_begin(void);
void yy_inference_end(void *guard);
yy_status yy_set_requires_grad(yy_tensor tensor, bool required);
yy_status yy_backward(yy_tensor loss);
/// Null in `out` when the tensor has no gradient.
yy_status yy_grad(yy_tensor tensor, yy_tensor *out);
void yy_clear_grad(yy_tensor tensor);

/// Runs `forward(context, inputs)` without recording and again, recorded, when the gradient is wanted (Chen et al. 2016,
/// "Training deep nets with sublinear memory cost"). `release(context)` is called once.
typedef yy_status (*yy_forward)(void *context, const yy_tensor *inputs, yy_tensor *out);
yy_status yy_recompute(
    const yy_tensor *inputs, int count, void *context, yy_forward forward, void (*release)(void *), yy_tensor *out);

// MARK: Fused kernels (kernels/)

/// Attention of queries [batch, query, head, width] over keys and values [batch, key, group, width]; query i stands at
/// position key − query + i. `documents` [batch, key] int32 keeps tokens to keys of their own document; null: one document. `window` > 0: a token sees that
/// many keys, its own the last.
/// Result [batch, query, head, width].
yy_status yy_attention(
    yy_tensor queries, yy_tensor keys, yy_tensor values, yy_tensor documents, bool causal, int64_t window, double scale, yy_tensor *out);

/// Writes new keys and values [batch, new, group, width] into those of a cache [batch, group, place, width] from place `start` on, and gives the causal `yy_attention` of
/// queries [batch, query, head, width] over all up to there.
yy_status yy_cached_attention(
    yy_tensor queries, yy_tensor new_keys, yy_tensor new_values, yy_tensor keys, yy_tensor values, int64_t start, yy_tensor documents, int64_t window,
    double scale, yy_tensor *out);

/// Row i of a cache [row, group, place, ...] becomes what row `order[i]` was, for the first `places` places, where they lie.
yy_status yy_reorder(yy_tensor cache, const int64_t *order, int64_t places);

/// Rows of numbers as a cache keeps them in 8 bits: int8 `codes` [batch, group, token, width], −127…127, times the float32 scale of their row,
/// `scales` [batch, group, token].
typedef struct yy_rows8 {
    yy_tensor codes, scales;
} yy_rows8;
/// Rounds x [batch, group, token, width] to the nearest into `target`, which may be views. The scale of a row that is not finite is none either.
yy_status yy_rows8_store(yy_tensor x, yy_rows8 target);
yy_status yy_rows8_widen(yy_rows8 rows, yy_dtype dtype, yy_tensor *out);
/// `yy_attention` over keys and values [batch, group, key, width]: up to eight queries read them as they lie, for more they are widened.
yy_status yy_attention8(
    yy_tensor queries, yy_rows8 keys, yy_rows8 values, yy_tensor documents, bool causal, int64_t window, double scale, yy_tensor *out);

/// Rotary positions (Su et al. 2021) of x [batch, token, head, width]: element i of the first half and i of the second turn by the angle of
/// `positions` [batch, token] (int64; null: `start`, `start` + 1, …) and i, whose cosines and sines are the rows of float32 tables [context, width / 2].
yy_status yy_rotate(yy_tensor x, yy_tensor cosines, yy_tensor sines, yy_tensor positions, int64_t start, yy_tensor *out);

/// Sum over rows of −log softmax(hidden·Wᵀ)[target], rows whose target is `ignored` left out, divided by `divisor`.
/// hidden [n, width], W [vocabulary, width], targets [n] int64. Logits exist for `rows` rows at a time only.
yy_status yy_linear_cross_entropy(
    yy_tensor hidden, yy_tensor weight, yy_tensor targets, int64_t ignored, double divisor, int64_t rows, yy_tensor *out);

/// GELU with tanh in place of the error function.
yy_status yy_gelu_tanh(yy_tensor a, yy_tensor *out);

/// Inverted dropout whose mask is a function of (seed, position): nothing is stored for the way back.
yy_status yy_dropout(yy_tensor x, double probability, uint64_t seed, yy_tensor *out);

/// A matrix [rows, columns] of integers of 8 or 4 bits, for inference: the numbers of `group` inputs (a multiple of 32; 0: all) of one output share
/// a float16 scale. Codes uint8 [⌈rows/16⌉, ⌈columns/32⌉, 64·bits] and scales float16 [⌈rows/16⌉, groups, 16] lie as kernels/quantized.h says.
typedef struct yy_quantized {
    yy_tensor codes, scales;
    int bits;
    int64_t group, rows, columns;
} yy_quantized;
/// Rounds to the nearest; scales of weights that are not finite are not finite.
yy_status yy_quantize(yy_tensor weight, int bits, int64_t group, yy_quantized *out);
/// From int8 numbers [rows, columns] (with 4 bits, −8…7) and float16 scales [rows, groups].
yy_status yy_quantized_pack(yy_tensor numbers, yy_tensor scales, int bits, int64_t group, yy_quantized *out);
yy_status yy_quantized_dequantize(yy_quantized matrix, yy_dtype dtype, yy_tensor *out);
/// Rows of the matrix at int64 indices of any shape, in float32 or bfloat16.
yy_status yy_quantized_rows(yy_quantized matrix, yy_tensor indices, yy_dtype dtype, yy_tensor *out);
/// y = x·Wᵀ + b; `bias` may be null. x, float32 or bfloat16, is rounded to 8 bits by blocks of 32 and multiplied in integers.
yy_status yy_quantized_linear(yy_tensor x, yy_quantized matrix, yy_tensor bias, yy_tensor *out);

/// One AdamW step (Loshchilov & Hutter 2019, decoupled decay) on float32 master weights; the gradient, float32 or bfloat16, is
/// multiplied by `gradient_scale` on the way. When `copy` is not null, the new weights are also rounded into it.
typedef struct yy_adamw {
    double learning_rate, beta1, beta2, epsilon, weight_decay, gradient_scale;
    int64_t step;  // from 1
} yy_adamw;
yy_status yy_adamw_step(
    yy_tensor master, yy_tensor copy, yy_tensor gradient, yy_tensor first_moment, yy_tensor second_moment, yy_adamw setting);

/// Float32 numbers as 8 bits in blocks of 256 along memory, each with a float32 scale (Dettmers et al. 2022). `seed` null: to the nearest;
/// else rounded at random. Codes have the shape of x, scales [blocks].
yy_status yy_blockwise_quantize(yy_tensor x, bool is_signed, const uint64_t *seed, yy_tensor *codes, yy_tensor *scales);
yy_status yy_blockwise_dequantize(yy_tensor codes, yy_tensor scales, bool is_signed, yy_tensor *out);

/// An AdamW step whose moments are kept as 8 bits: the first with sign, of the second its root.
yy_status yy_adamw8_step(
    yy_tensor master, yy_tensor copy, yy_tensor gradient, yy_tensor first_moment, yy_tensor first_scales, yy_tensor second_root,
    yy_tensor second_scales, yy_adamw setting, uint64_t seed);

/// A matrix [rows, columns] as NormalFloat4 (Dettmers et al. 2023): `codes` two to a byte, the scale of each block of 64 as `scales`, 8 bits
/// with `scale_scales` around `mean`.
typedef struct yy_nf4 {
    yy_tensor codes, scales, scale_scales;
    double mean;
    int64_t rows, columns;
} yy_nf4;
/// The three tensors are the caller's to release.
yy_status yy_nf4_quantize(yy_tensor weight, yy_nf4 *out);
yy_status yy_nf4_dequantize(yy_nf4 matrix, yy_dtype dtype, yy_tensor *out);
/// x·Wᵀ + b, whose gradient is for x alone.
yy_status yy_nf4_linear(yy_tensor x, yy_nf4 matrix, yy_tensor bias, yy_tensor *out);

/// Σ x² in float64 order that depends on the size alone.
yy_status yy_sum_of_squares(yy_tensor x, double *out);

#ifdef __cplusplus
}
#endif
#endif
