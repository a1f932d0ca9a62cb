// What every file of this target shares: handles as at::Tensor, and the wall that keeps exceptions in.
#pragma once

#include "include/ctorch.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace yy {

std::string &lastError();

/// A handle is the intrusive pointer inside at::Tensor, so a borrowed handle can be read as a tensor without counting.
static_assert(sizeof(at::Tensor) == sizeof(void *), "at::Tensor is expected to be one pointer");
inline const at::Tensor &tensor(const yy_tensor &handle) { return reinterpret_cast<const at::Tensor &>(handle); }

inline yy_tensor handle(at::Tensor tensor) { return reinterpret_cast<yy_tensor>(tensor.unsafeReleaseTensorImpl()); }

inline std::optional<at::Tensor> optional(const yy_tensor &handle) {
    return handle ? std::optional<at::Tensor>(tensor(handle)) : std::nullopt;
}

inline at::IntArrayRef shape(const int64_t *sizes, int rank) { return at::IntArrayRef(sizes, static_cast<size_t>(rank)); }

at::TensorOptions options(yy_options options);

template <class Body> yy_status guarded(Body &&body) noexcept {
    try {
        body();
        return YY_OK;
    } catch (const c10::OutOfMemoryError &error) {
        lastError() = error.what_without_backtrace();
        return YY_OUT_OF_MEMORY;
    } catch (const std::bad_alloc &) {
        lastError() = "the system has no memory left";
        return YY_OUT_OF_MEMORY;
    } catch (const c10::Error &error) {
        lastError() = error.what_without_backtrace();
    } catch (const std::exception &error) {
        lastError() = error.what();
    } catch (...) {
        lastError() = "an unknown C++ exception";
    }
    return YY_BAD_ARGUMENT;
}

template <class Body> yy_status guarded(yy_tensor *out, Body &&body) noexcept {
    return guarded([&] { *out = handle(body()); });
}

}  // namespace yy
