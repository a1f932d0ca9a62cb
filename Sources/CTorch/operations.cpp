// One line an operation: ATen's own, under ATen's name.
#include "shim.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/div.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/le.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/min.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/squeeze.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/unbind.h>
#include <ATen/ops/unsqueeze.h>
#include <ATen/ops/where.h>

#include <cmath>
#include <vector>

using namespace yy;

/// A whole number does not turn integers into floats, as it does not in Python, where 1 and 1.0 differ.
static at::Scalar scalar(const at::Tensor &a, double b) {
    bool whole = at::isIntegralType(a.scalar_type(), /*includeBool=*/false) && b == std::trunc(b) && std::abs(b) < 9007199254740992.0;
    return whole ? at::Scalar(int64_t(b)) : at::Scalar(b);
}

#define UNARY(name, expression) \
    yy_status yy_##name(yy_tensor a_, yy_tensor *out) { \
        return guarded(out, [&] { const auto &a = tensor(a_); return expression; }); \
    }
#define BINARY(name, expression) \
    yy_status yy_##name(yy_tensor a_, yy_tensor b_, yy_tensor *out) { \
        return guarded(out, [&] { const auto &a = tensor(a_), &b = tensor(b_); return expression; }); \
    }
#define SCALAR(name, expression) \
    yy_status yy_##name##_scalar(yy_tensor a_, double b, yy_tensor *out) { \
        return guarded(out, [&] { const auto &a = tensor(a_); return expression; }); \
    }
#define REDUCTION(name, expression) \
    yy_status yy_##name(yy_tensor a_, int dimension, bool keep, yy_tensor *out) { \
        return guarded(out, [&] { const auto &a = tensor(a_); return expression; }); \
    }
#define ALONG(name, expression) \
    yy_status yy_##name(yy_tensor a_, int dimension, yy_tensor *out) { \
        return guarded(out, [&] { const auto &a = tensor(a_); return expression; }); \
    }

UNARY(neg, at::neg(a))
UNARY(exp, at::exp(a))
UNARY(log, at::log(a))
UNARY(sqrt, at::sqrt(a))
UNARY(rsqrt, at::rsqrt(a))
UNARY(abs, at::abs(a))
UNARY(square, at::square(a))
UNARY(tanh, at::tanh(a))
UNARY(sigmoid, at::sigmoid(a))
UNARY(relu, at::relu(a))
UNARY(silu, at::silu(a))
UNARY(gelu, at::gelu(a, "none"))
UNARY(sin, at::sin(a))
UNARY(cos, at::cos(a))
UNARY(isfinite, at::isfinite(a))
UNARY(logical_not, at::logical_not(a))
UNARY(contiguous, a.contiguous())
UNARY(clone, at::clone(a))
UNARY(detach, a.detach())
UNARY(sum_all, at::sum(a))
UNARY(mean_all, at::mean(a))
UNARY(max_all, at::max(a))
UNARY(min_all, at::min(a))

BINARY(add, at::add(a, b))
BINARY(sub, at::sub(a, b))
BINARY(mul, at::mul(a, b))
BINARY(div, at::div(a, b))
BINARY(maximum, at::maximum(a, b))
BINARY(minimum, at::minimum(a, b))
BINARY(eq, at::eq(a, b))
BINARY(ne, at::ne(a, b))
BINARY(lt, at::lt(a, b))
BINARY(le, at::le(a, b))
BINARY(gt, at::gt(a, b))
BINARY(ge, at::ge(a, b))
BINARY(logical_and, at::logical_and(a, b))
BINARY(logical_or, at::logical_or(a, b))
BINARY(matmul, at::matmul(a, b))
BINARY(embedding, at::embedding(a, b))

SCALAR(add, at::add(a, scalar(a, b)))
SCALAR(mul, at::mul(a, scalar(a, b)))
SCALAR(div, at::div(a, b))
SCALAR(pow, at::pow(a, b))
SCALAR(eq, at::eq(a, scalar(a, b)))
SCALAR(ne, at::ne(a, scalar(a, b)))
SCALAR(lt, at::lt(a, scalar(a, b)))
SCALAR(le, at::le(a, scalar(a, b)))
SCALAR(gt, at::gt(a, scalar(a, b)))
SCALAR(ge, at::ge(a, scalar(a, b)))

REDUCTION(sum, at::sum(a, {dimension}, keep))
REDUCTION(mean, at::mean(a, {dimension}, keep))
REDUCTION(amax, at::amax(a, {dimension}, keep))
REDUCTION(amin, at::amin(a, {dimension}, keep))
REDUCTION(argmax, at::argmax(a, dimension, keep))
REDUCTION(logsumexp, at::logsumexp(a, {dimension}, keep))

ALONG(softmax, at::softmax(a, dimension))
ALONG(log_softmax, at::log_softmax(a, dimension))
ALONG(cumsum, at::cumsum(a, dimension))
ALONG(unsqueeze, at::unsqueeze(a, dimension))
ALONG(squeeze, at::squeeze(a, dimension))

yy_status yy_clamp(yy_tensor a, double low, double high, yy_tensor *out) {
    return guarded(out, [&] { return at::clamp(tensor(a), scalar(tensor(a), low), scalar(tensor(a), high)); });
}

yy_status yy_where(yy_tensor condition, yy_tensor a, yy_tensor b, yy_tensor *out) {
    return guarded(out, [&] { return at::where(tensor(condition), tensor(a), tensor(b)); });
}

yy_status yy_masked_fill(yy_tensor a, yy_tensor mask, double value, yy_tensor *out) {
    return guarded(out, [&] { return at::masked_fill(tensor(a), tensor(mask), value); });
}

yy_status yy_tril(yy_tensor a, int diagonal, yy_tensor *out) {
    return guarded(out, [&] { return at::tril(tensor(a), diagonal); });
}

yy_status yy_reshape(yy_tensor a, const int64_t *sizes, int rank, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).reshape(shape(sizes, rank)); });
}

yy_status yy_expand(yy_tensor a, const int64_t *sizes, int rank, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).expand(shape(sizes, rank)); });
}

yy_status yy_permute(yy_tensor a, const int64_t *order, int rank, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).permute(shape(order, rank)); });
}

yy_status yy_transpose(yy_tensor a, int first, int second, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).transpose(first, second); });
}

yy_status yy_narrow(yy_tensor a, int dimension, int64_t start, int64_t length, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).narrow(dimension, start, length); });
}

yy_status yy_select(yy_tensor a, int dimension, int64_t index, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).select(dimension, index); });
}

static std::vector<at::Tensor> list(const yy_tensor *tensors, int count) {
    std::vector<at::Tensor> result;
    for (int i = 0; i < count; i++) result.push_back(tensor(tensors[i]));
    return result;
}

yy_status yy_cat(const yy_tensor *tensors, int count, int dimension, yy_tensor *out) {
    return guarded(out, [&] { return at::cat(list(tensors, count), dimension); });
}

yy_status yy_stack(const yy_tensor *tensors, int count, int dimension, yy_tensor *out) {
    return guarded(out, [&] { return at::stack(list(tensors, count), dimension); });
}

yy_status yy_unbind(yy_tensor a, int dimension, yy_tensor *outs) {
    return guarded([&] {
        for (auto &part : at::unbind(tensor(a), dimension)) *outs++ = handle(part);
    });
}

yy_status yy_index_select(yy_tensor a, int dimension, yy_tensor indices, yy_tensor *out) {
    return guarded(out, [&] { return at::index_select(tensor(a), dimension, tensor(indices)); });
}

yy_status yy_gather(yy_tensor a, int dimension, yy_tensor indices, yy_tensor *out) {
    return guarded(out, [&] { return at::gather(tensor(a), dimension, tensor(indices)); });
}

yy_status yy_topk(yy_tensor a, int64_t k, int dimension, yy_tensor *values, yy_tensor *indices) {
    return guarded([&] {
        auto [v, i] = at::topk(tensor(a), k, dimension);
        *values = handle(std::move(v));
        *indices = handle(std::move(i));
    });
}

yy_status yy_sort(yy_tensor a, int dimension, bool descending, yy_tensor *values, yy_tensor *indices) {
    return guarded([&] {
        auto [v, i] = at::sort(tensor(a), /*stable=*/true, dimension, descending);
        *values = handle(std::move(v));
        *indices = handle(std::move(i));
    });
}

yy_status yy_cross_entropy(yy_tensor logits, yy_tensor targets, int64_t ignored, yy_tensor *out) {
    return guarded(out, [&] { return at::cross_entropy_loss(tensor(logits), tensor(targets), {}, at::Reduction::Mean, ignored); });
}

yy_status yy_copy_(yy_tensor target, yy_tensor source) {
    return guarded([&] { tensor(target).copy_(tensor(source)); });
}

yy_status yy_fill_(yy_tensor target, double value) {
    return guarded([&] { tensor(target).fill_(value); });
}

yy_status yy_add_(yy_tensor target, yy_tensor source, double scale) {
    return guarded([&] { tensor(target).add_(tensor(source), scale); });
}

yy_status yy_mul_(yy_tensor target, double factor) {
    return guarded([&] { tensor(target).mul_(factor); });
}

static c10::IValue boxed(const yy_value &value) {
    switch (value.kind) {
    case YY_TENSOR: return tensor(value.tensor);
    case YY_INT: return value.integer;
    case YY_DOUBLE: return value.real;
    case YY_BOOLEAN: return value.integer != 0;
    case YY_INTS: return std::vector<int64_t>(value.integers, value.integers + value.count);
    case YY_NONE: break;
    }
    return c10::IValue();
}

yy_status yy_call(const char *name, const char *overload, const yy_value *arguments, int count, yy_tensor *outs, int *out_count) {
    return guarded([&] {
        auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
        const auto &schema = operation.schema();
        TORCH_CHECK(static_cast<size_t>(count) <= schema.arguments().size(), name, " takes at most ", schema.arguments().size(), " arguments");
        torch::jit::Stack stack;
        for (size_t i = 0; i < schema.arguments().size(); i++) {
            if (i < static_cast<size_t>(count)) {
                stack.push_back(boxed(arguments[i]));
            } else {
                auto standard = schema.arguments()[i].default_value();
                TORCH_CHECK(standard.has_value(), name, " needs its argument ", schema.arguments()[i].name());
                stack.push_back(*standard);
            }
        }
        operation.callBoxed(stack);
        int made = 0;
        for (auto &result : stack) {
            TORCH_CHECK(result.isTensor(), name, " gives back something other than tensors");
            if (made < *out_count) outs[made++] = handle(result.toTensor());
        }
        *out_count = made;
    });
}
