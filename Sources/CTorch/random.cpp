// Random numbers, always from a generator that the caller holds.
#include "shim.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

using namespace yy;

static at::Generator &generator(yy_generator g) { return *reinterpret_cast<at::Generator *>(g); }

yy_status yy_generator_new(uint64_t seed, int cuda, yy_generator *out) {
    return guarded([&] {
        auto made = cuda < 0 ? at::detail::createCPUGenerator(seed)
                             : at::globalContext().getAcceleratorHooksInterface(at::kCUDA).getNewGenerator(static_cast<at::DeviceIndex>(cuda));
        made.set_current_seed(seed);
        *out = reinterpret_cast<yy_generator>(new at::Generator(std::move(made)));
    });
}

void yy_generator_release(yy_generator g) { delete &generator(g); }

yy_status yy_generator_state(yy_generator g, yy_tensor *out) {
    return guarded(out, [&] { return generator(g).get_state(); });
}

yy_status yy_generator_set_state(yy_generator g, yy_tensor state) {
    return guarded([&] { generator(g).set_state(tensor(state)); });
}

yy_status yy_randn(const int64_t *sizes, int rank, yy_generator g, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::randn(shape(sizes, rank), generator(g), options(o)); });
}

yy_status yy_rand(const int64_t *sizes, int rank, yy_generator g, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::rand(shape(sizes, rank), generator(g), options(o)); });
}

yy_status yy_randint(int64_t low, int64_t high, const int64_t *sizes, int rank, yy_generator g, yy_options o, yy_tensor *out) {
    return guarded(out, [&] { return at::randint(low, high, shape(sizes, rank), generator(g), options(o)); });
}

yy_status yy_multinomial(yy_tensor probabilities, int64_t count, yy_generator g, yy_tensor *out) {
    return guarded(out, [&] { return at::multinomial(tensor(probabilities), count, /*replacement=*/false, generator(g)); });
}
