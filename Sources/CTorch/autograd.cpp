// Recording, differentiating, and computing again instead of keeping.
#include "shim.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

using namespace yy;

bool yy_grad_enabled(void) { return at::GradMode::is_enabled(); }
void yy_set_grad_enabled(bool enabled) { at::GradMode::set_enabled(enabled); }
void *yy_inference_begin(void) { return new c10::InferenceMode(true); }
void yy_inference_end(void *guard) { delete static_cast<c10::InferenceMode *>(guard); }

yy_status yy_set_requires_grad(yy_tensor a, bool required) {
    return guarded([&] { tensor(a).set_requires_grad(required); });
}

yy_status yy_backward(yy_tensor loss) {
    return guarded([&] { torch::autograd::backward({tensor(loss)}, {}); });
}

yy_status yy_grad(yy_tensor a, yy_tensor *out) {
    return guarded([&] {
        const auto &gradient = tensor(a).grad();
        *out = gradient.defined() ? handle(gradient) : nullptr;
    });
}

void yy_clear_grad(yy_tensor a) { tensor(a).mutable_grad() = at::Tensor(); }

namespace {

struct Closure : torch::CustomClassHolder {
    void *context;
    yy_forward forward;
    void (*release)(void *);
    Closure(void *context, yy_forward forward, void (*release)(void *)) : context(context), forward(forward), release(release) {}
    ~Closure() override { release(context); }

    at::Tensor operator()(at::TensorList inputs) const {
        yy_tensor out = nullptr;
        auto status = forward(context, reinterpret_cast<const yy_tensor *>(inputs.data()), &out);
        if (status == YY_OUT_OF_MEMORY) throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, lastError());
        TORCH_CHECK(status == YY_OK, lastError());
        return at::Tensor(
            c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>::reclaim(reinterpret_cast<at::TensorImpl *>(out)));
    }
};

struct Recompute : torch::autograd::Function<Recompute> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, at::TensorList inputs, c10::intrusive_ptr<Closure> closure) {
        context->save_for_backward(inputs.vec());
        context->saved_data["closure"] = c10::IValue::make_capsule(closure);
        at::NoGradGuard unrecorded;
        return (*closure)(inputs);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        auto closure = c10::static_intrusive_pointer_cast<Closure>(context->saved_data["closure"].toCapsule());
        auto inputs = context->get_saved_variables();
        for (auto &input : inputs) input = input.detach().set_requires_grad(input.requires_grad());
        at::AutoGradMode recorded(true);
        auto y = (*closure)(inputs);
        torch::autograd::backward({y}, {gradients[0]});
        torch::autograd::variable_list results;
        for (auto &input : inputs) results.push_back(input.grad());
        results.push_back(at::Tensor());
        return results;
    }
};

}  // namespace

yy_status yy_recompute(
    const yy_tensor *inputs, int count, void *context, yy_forward forward, void (*release)(void *), yy_tensor *out) {
    return guarded(out, [&] {
        auto closure = c10::make_intrusive<Closure>(context, forward, release);
        torch::autograd::variable_list taken;
        for (int i = 0; i < count; i++) taken.push_back(tensor(inputs[i]));
        // What is inside may need gradients when the inputs do not, and libtorch records a Function for its inputs' sake only.
        if (at::GradMode::is_enabled() && !taken[0].requires_grad()) taken[0] = taken[0].detach().set_requires_grad(true);
        return Recompute::apply(at::TensorList(taken), closure);
    });
}
