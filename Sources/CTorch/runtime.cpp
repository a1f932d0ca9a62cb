// The library and the machine: versions, threads, devices.
#include "shim.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>

#include <dlfcn.h>

using namespace yy;

const char *yy_torch_version(void) { return TORCH_VERSION; }

const char *yy_cpu_capability(void) {
    static const std::string capability = at::get_cpu_capability();
    return capability.c_str();
}

bool yy_cpu_has_bfloat16(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#elif defined(__ARM_FEATURE_BF16)
    return true;
#else
    return false;
#endif
}

int yy_thread_count(void) { return at::get_num_threads(); }
void yy_set_thread_count(int count) { at::set_num_threads(count); }

yy_status yy_cuda_load(void) {
    return guarded([&] {
        // Beside libtorch_cpu, which is loaded already: the path comes from a symbol of it.
        Dl_info info;
        std::string path = "libtorch_cuda.so";
        if (dladdr(reinterpret_cast<const void *>(&at::get_num_threads), &info) && info.dli_fname) {
            std::string library = info.dli_fname;
            path = library.substr(0, library.rfind('/') + 1) + path;
        }
        if (!dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
            lastError() = dlerror();
            TORCH_CHECK(false, "this libtorch has no CUDA support (", lastError(), ")");
        }
        TORCH_CHECK(at::globalContext().hasCUDA() && yy_cuda_count() > 0, "no CUDA device was found");
    });
}

int yy_cuda_count(void) {
    if (!at::globalContext().hasCUDA()) return 0;
    return static_cast<int>(at::globalContext().getAcceleratorHooksInterface(at::kCUDA).deviceCount());
}

yy_status yy_synchronize(int cuda) {
    return guarded([&] {
        if (cuda < 0) return;
        c10::impl::VirtualGuardImpl guard(at::kCUDA);
        guard.synchronizeDevice(static_cast<at::DeviceIndex>(cuda));
    });
}
