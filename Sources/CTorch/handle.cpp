// Handles: making tensors, releasing them, asking what they are.
#include "shim.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>

#include <cstring>

namespace yy {

std::string &lastError() {
    thread_local std::string message;
    return message;
}

at::TensorOptions options(yy_options options) {
    auto device = options.cuda < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(options.cuda));
    return at::TensorOptions().dtype(static_cast<at::ScalarType>(options.dtype)).device(device);
}

}  // namespace yy

using namespace yy;

const char *yy_last_error(void) { return lastError().c_str(); }

void yy_release(yy_tensor tensor) {
    c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>::reclaim(reinterpret_cast<at::TensorImpl *>(tensor));
}

yy_status yy_alias(yy_tensor a, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a); });
}

int yy_rank(yy_tensor a) { return static_cast<int>(tensor(a).dim()); }
int64_t yy_size(yy_tensor a, int dimension) { return tensor(a).size(dimension); }
int64_t yy_count(yy_tensor a) { return tensor(a).numel(); }
yy_dtype yy_dtype_of(yy_tensor a) { return static_cast<yy_dtype>(tensor(a).scalar_type()); }
int yy_cuda_of(yy_tensor a) { return tensor(a).is_cuda() ? tensor(a).device().index() : -1; }
bool yy_is_contiguous(yy_tensor a) { return tensor(a).is_contiguous(); }
bool yy_requires_grad(yy_tensor a) { return tensor(a).requires_grad(); }
void *yy_data(yy_tensor a) { return tensor(a).data_ptr(); }

yy_status yy_empty(const int64_t *sizes, int rank, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::empty(shape(sizes, rank), options(o)); });
}

yy_status yy_full(const int64_t *sizes, int rank, double value, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::full(shape(sizes, rank), value, options(o)); });
}

yy_status yy_arange(double start, double end, double step, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::arange(start, end, step, options(o)); });
}

yy_status yy_from_host(const void *data, size_t bytes, const int64_t *sizes, int rank, yy_options o, yy_tensor *out) {
    return guarded(out, [&] {
        auto host = at::empty(shape(sizes, rank), options({o.dtype, -1}));
        TORCH_CHECK(host.nbytes() == bytes, "a shape of ", host.nbytes(), " bytes was given ", bytes, " bytes of data");
        if (bytes > 0) std::memcpy(host.data_ptr(), data, bytes);
        return o.cuda < 0 ? host : host.to(options(o));
    });
}

yy_status yy_borrow(
    void *data, const int64_t *sizes, int rank, yy_dtype dtype, void *context, void (*release)(void *), yy_tensor *out) {
    return guarded(out, [&] {
        auto deleter = [context, release](void *) { release(context); };
        return at::from_blob(data, shape(sizes, rank), deleter, options({dtype, -1}));
    });
}

yy_status yy_to(yy_tensor a, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return tensor(a).to(options(o)); });
}
