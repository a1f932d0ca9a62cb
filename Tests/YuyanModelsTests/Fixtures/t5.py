"""Makes t5.json: what transformers' T5 computes with weights from a formula (see gpt2.py): v1.0 (tied, relu) and v1.1 (gated), with padding.
The last case shares the output matrix unscaled, which is what transformers makes of v1.1 from 5 on.

pip install torch transformers; python Tests/YuyanModelsTests/Fixtures/t5.py
"""

import json
import pathlib

import torch
import transformers

from gpt2 import formula


def weight(name, shape):
    if "layer_norm" in name:
        return 1 + 0.2 * formula(name, shape)
    return (0.3 if len(shape) == 2 and "relative" not in name else 1.0) * formula(name, shape)


def main():
    tiny = dict(vocab_size=53, d_model=24, d_kv=6, d_ff=40, num_heads=4, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, dropout_rate=0.0)
    cases = []
    for settings in [
        dict(num_layers=2, num_decoder_layers=3, feed_forward_proj="relu", tie_word_embeddings=True),
        dict(num_layers=3, num_decoder_layers=2, feed_forward_proj="gated-gelu", tie_word_embeddings=False, relative_attention_max_distance=20),
        dict(num_layers=1, num_decoder_layers=1, feed_forward_proj="gated-gelu", tie_word_embeddings=False, relative_attention_num_buckets=8),
        dict(num_layers=1, num_decoder_layers=1, feed_forward_proj="gated-gelu", tie_word_embeddings=False, shares=True),
    ]:
        shares = settings.pop("shares", settings["tie_word_embeddings"])
        configuration = transformers.T5Config(**tiny, **settings)
        model = transformers.T5ForConditionalGeneration(configuration).float().eval()
        if not shares:  # transformers ties them all the same
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(weight(name, parameter.shape))
        lengths = [30, 19]
        source = torch.tensor([[(row * 13 + column * column * 5 + column) % 51 + 2 if column < lengths[row] else 0 for column in range(30)] for row in range(2)])
        mask = torch.tensor([[int(column < length) for column in range(30)] for length in lengths])
        target = torch.tensor([[(row * 7 + column * 11 + column * column) % 51 + 2 for column in range(25)] for row in range(2)])
        result = model(input_ids=source, attention_mask=mask, labels=target)
        result.loss.backward()
        gradients = {name: float(parameter.grad.norm()) for name, parameter in model.named_parameters()}
        samples = {name: [float(x) for x in parameter.grad.flatten()[::7][:12]] for name, parameter in model.named_parameters()}
        cases.append(
            {
                "configuration": {**json.loads(configuration.to_json_string(use_diff=False)), "tie_word_embeddings": shares},
                "source": source.tolist(),
                "lengths": lengths,
                "target": target.tolist(),
                "loss": float(result.loss),
                # Every fifth position, backwards from the last.
                "logits": [[[round(x, 6) for x in position] for position in row[::-1][::5]] for row in result.logits.tolist()],
                "gradientNorms": gradients,
                "gradients": samples,
            }
        )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
