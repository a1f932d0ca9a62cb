"""Makes gpt1.json: logits, gradients and greedy tokens of transformers' GPT-1 (openai-gpt) with weights from a formula (see gpt2.py).

pip install torch transformers; python Tests/YuyanModelsTests/Fixtures/gpt1.py
"""

import json
import pathlib

import torch
import transformers

from gpt2 import weight


def fill(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            name = name.removeprefix("transformer.")
            transposed = parameter.ndim == 2 and name.startswith("h.")  # Conv1D keeps [in, out]; the formula is over [out, in]
            value = weight(name, parameter.shape[::-1] if transposed else parameter.shape)
            parameter.copy_(value.T if transposed else value)


def main():
    cases = []
    for configuration in [
        dict(vocab_size=61, n_positions=24, n_embd=32, n_layer=2, n_head=4),
        dict(vocab_size=37, n_positions=30, n_embd=30, n_layer=3, n_head=5, afn="relu", layer_norm_epsilon=1e-6),
        dict(vocab_size=53, n_positions=40, n_embd=48, n_layer=1, n_head=3, afn="swish"),
    ]:
        model = transformers.OpenAIGPTLMHeadModel(transformers.OpenAIGPTConfig(**configuration)).float().eval()
        fill(model)
        rows, columns, words = 2, configuration["n_positions"] - 4, configuration["vocab_size"]
        tokens = torch.tensor([[(row * 11 + column * column * 7 + column) % words for column in range(columns)] for row in range(rows)])
        logits = model(tokens).logits
        torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, words), tokens[:, 1:].reshape(-1)).backward()
        gradients = {}
        for name, parameter in model.transformer.named_parameters():
            gradient = parameter.grad.T if parameter.ndim == 2 and name.startswith("h.") else parameter.grad
            # The norm of each gradient, and of it every seventh number, up to twelve.
            gradients[name] = {"norm": float(gradient.norm()), "samples": [float(x) for x in gradient.flatten()[::7][:12]]}
        with torch.no_grad():
            greedy = tokens[:1, :5]
            for _ in range(16):
                greedy = torch.cat([greedy, model(greedy).logits[:, -1].argmax(-1, keepdim=True)], 1)
        cases.append(
            {
                "configuration": configuration,
                "tokens": tokens.tolist(),
                # Every fifth position, backwards from the last.
                "logits": [[[round(x, 6) for x in position] for position in row[::-1][::5]] for row in logits.tolist()],
                "gradients": gradients,
                "greedy": greedy[0, 5:].tolist(),
            }
        )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
