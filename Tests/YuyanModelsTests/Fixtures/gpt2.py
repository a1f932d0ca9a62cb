"""Makes gpt2.json: logits and greedy tokens of transformers' GPT-2 with weights that both sides compute from a formula.

pip install torch transformers; python Tests/YuyanModelsTests/Fixtures/gpt2.py
"""

import json
import pathlib

import numpy
import torch
import transformers


def formula(name, shape):
    """Numbers in [-0.5, 0.5) from the name of a weight and the index of an element. FNV-1a of the name, then a 32-bit mixer."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    x = (seed + numpy.arange(numpy.prod(shape), dtype=numpy.uint64) * 2654435761) % 2**32
    x ^= x >> 15
    x = x * 2246822519 % 2**32
    x ^= x >> 13
    return torch.tensor((x / 2**32 - 0.5).reshape(shape))


def weight(name, shape):
    if name.endswith(".bias"):
        return 0.2 * formula(name, shape)
    if ".ln_" in name or name.startswith("ln_f"):
        return 1 + 0.2 * formula(name, shape)
    return 0.3 * formula(name, shape)


def model(configuration):
    gpt = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**configuration, bos_token_id=0, eos_token_id=0, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, attn_implementation="eager")
    ).float()
    gpt.eval()
    with torch.no_grad():
        for name, parameter in gpt.transformer.named_parameters():
            transposed = parameter.ndim == 2 and name.startswith("h.")  # Conv1D keeps [in, out]; the formula is over [out, in]
            value = weight(name, parameter.shape[::-1] if transposed else parameter.shape)
            parameter.copy_(value.T if transposed else value)
    return gpt


def main():
    cases = []
    for configuration in [
        dict(vocab_size=61, n_positions=24, n_embd=32, n_layer=2, n_head=4),
        dict(vocab_size=37, n_positions=17, n_embd=30, n_layer=3, n_head=5, n_inner=50, activation_function="gelu"),
        dict(vocab_size=53, n_positions=40, n_embd=64, n_layer=1, n_head=1, activation_function="gelu_pytorch_tanh", layer_norm_epsilon=1e-6),
        dict(vocab_size=29, n_positions=32, n_embd=48, n_layer=4, n_head=3, activation_function="relu"),
        dict(vocab_size=41, n_positions=70, n_embd=16, n_layer=2, n_head=2, activation_function="silu"),
    ]:
        gpt = model(configuration)
        rows, columns, words = 2, configuration["n_positions"] - 8, configuration["vocab_size"]
        tokens = [[(row * 11 + column * column * 7 + column) % words for column in range(columns)] for row in range(rows)]
        with torch.no_grad():
            logits = gpt(torch.tensor(tokens)).logits
            greedy = tokens[0][:5]
            for _ in range(12):
                greedy = greedy + [int(gpt(torch.tensor([greedy])).logits[0, -1].argmax())]
        cases.append(
            {
                "configuration": configuration,
                "tokens": tokens,
                # Every fifth position, backwards from the last.
                "logits": [[[round(x, 6) for x in position] for position in row[::-1][::5]] for row in logits.tolist()],
                "greedy": greedy[5:],
            }
        )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
