"""Makes llama.json: logits, gradients and greedy tokens of transformers' Llama, Mistral, Qwen 2 and Qwen 3 with weights from a formula (see gpt2.py).

pip install torch transformers; python Tests/YuyanModelsTests/Fixtures/llama.py
"""

import json
import pathlib

import torch
import transformers

from gpt2 import formula


def weight(name, shape):
    if name.endswith("norm.weight"):
        return 1 + 0.2 * formula(name, shape)
    if name.endswith(".bias"):
        return 0.2 * formula(name, shape)
    return 0.3 * formula(name, shape)


def main():
    tiny = dict(vocab_size=61, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
    cases = []
    for kind, settings in [
        ("Llama", dict(num_key_value_heads=2, rms_norm_eps=1e-5)),
        ("Llama", dict(num_key_value_heads=4, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, head_dim=12)),
        (
            "Llama",
            dict(
                num_key_value_heads=1,
                rope_parameters=dict(
                    rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16
                ),
            ),
        ),
        ("Llama", dict(num_key_value_heads=2, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5))),
        (
            "Llama",
            dict(
                num_key_value_heads=2,
                rope_parameters=dict(rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=16),
            ),
        ),
        (
            "Llama",
            dict(
                num_key_value_heads=2,
                rope_parameters=dict(
                    rope_type="yarn",
                    rope_theta=1000.0,
                    factor=4.0,
                    original_max_position_embeddings=16,
                    truncate=False,
                    mscale=0.7,
                    mscale_all_dim=1.1,
                    beta_fast=20.0,
                ),
            ),
        ),
        ("Llama", dict(num_key_value_heads=2, rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0))),
        ("Mistral", dict(num_key_value_heads=2, sliding_window=7)),
        ("Mistral", dict(num_key_value_heads=4, sliding_window=None, head_dim=6)),
        ("Qwen2", dict(num_key_value_heads=2, tie_word_embeddings=True)),
        ("Qwen2", dict(num_key_value_heads=4, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
        ("Qwen3", dict(num_key_value_heads=2, head_dim=16)),
        (
            "Qwen3",
            dict(
                num_key_value_heads=1,
                head_dim=6,
                tie_word_embeddings=True,
                attention_bias=True,
                use_sliding_window=True,
                sliding_window=9,
                max_window_layers=1,
            ),
        ),
    ]:
        configuration = getattr(transformers, f"{kind}Config")(**{**tiny, **settings}, attn_implementation="eager")
        model = getattr(transformers, f"{kind}ForCausalLM")(configuration).float().eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(weight(name, parameter.shape))
        rows, columns, words = 2, 24, tiny["vocab_size"]
        tokens = torch.tensor([[(row * 11 + column * column * 7 + column) % words for column in range(columns)] for row in range(rows)])
        logits = model(tokens).logits
        torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, words), tokens[:, 1:].reshape(-1)).backward()
        gradients = {name: float(parameter.grad.norm()) for name, parameter in model.named_parameters()}
        # Every seventh number of each gradient, up to twelve.
        samples = {name: [float(x) for x in parameter.grad.flatten()[::7][:12]] for name, parameter in model.named_parameters()}
        with torch.no_grad():
            greedy = tokens[:1, :5]
            for _ in range(16):
                greedy = torch.cat([greedy, model(greedy).logits[:, -1].argmax(-1, keepdim=True)], 1)
        cases.append(
            {
                "configuration": json.loads(configuration.to_json_string(use_diff=False)),
                "tokens": tokens.tolist(),
                # Every fifth position, backwards from the last.
                "logits": [[[round(x, 6) for x in position] for position in row[::-1][::5]] for row in logits.tolist()],
                "gradientNorms": gradients,
                "gradients": samples,
                "greedy": greedy[0, 5:].tolist(),
            }
        )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
