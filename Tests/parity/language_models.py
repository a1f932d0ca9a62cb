"""GPT-2 and the LLaMA family against transformers, both ways, through the binary: python Tests/parity/language_models.py PATH/TO/yuyan

transformers saves random models; `yuyan generate` must give the same greedy tokens and their log-probabilities. `yuyan convert` writes
the model anew; transformers must load that and compute the same logits.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

TOLERANCE = 1e-4
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


SPECIAL = dict(vocab_size=257, bos_token_id=256, eos_token_id=256, pad_token_id=256)


def random_gpt2(pick):
    """A wide spread of weights: logits of several units, so that ties in the greedy path are rare."""
    heads = pick.choice([1, 2, 3, 4])
    configuration = GPT2Config(
        **SPECIAL,
        initializer_range=0.15,
        n_embd=heads * pick.choice([8, 16, 20, 64]),
        n_head=heads,
        n_layer=pick.choice([1, 2, 3, 5]),
        n_positions=pick.choice([64, 96, 200]),
        n_inner=pick.choice([None, 40, 100]),
        activation_function=pick.choice(["gelu_new", "gelu", "relu", "silu", "gelu_pytorch_tanh"]),
        layer_norm_epsilon=pick.choice([1e-5, 1e-6]),
    )
    return GPT2LMHeadModel(configuration)


def random_llama(pick):
    kind = pick.choice(["Llama", "Mistral", "Qwen2", "Qwen3"])
    groups = pick.choice([1, 2])
    heads = groups * pick.choice([1, 2, 4])
    special = {}
    if kind == "Mistral":
        special = dict(sliding_window=pick.choice([None, 11]))
    elif kind == "Llama":
        special = dict(rope_parameters=pick.choice([
            dict(rope_type="default", rope_theta=10000.0),
            dict(rope_type="llama3", rope_theta=5000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
        ]))
    configuration = getattr(transformers, f"{kind}Config")(
        **SPECIAL,
        initializer_range=0.15,
        hidden_size=heads * pick.choice([8, 16, 20]),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        num_hidden_layers=pick.choice([1, 2, 3]),
        intermediate_size=pick.choice([40, 100]),
        max_position_embeddings=pick.choice([64, 200]),
        tie_word_embeddings=pick.choice([False, True]),
        **special,
    )
    return getattr(transformers, f"{kind}ForCausalLM")(configuration)


def byte_tokenizer(folder):
    """One token a byte, so that any prompt will do."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)} | {"<|endoftext|>": 256}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    fast.save_pretrained(folder)
    return fast


def yuyan(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"yuyan {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def greedy(model, ids, count):
    """The most probable continuation and its log-probabilities, without a cache."""
    tokens, logprobs, margins = list(ids), [], []
    for _ in range(count):
        row = model(torch.tensor([tokens])).logits[0, -1].log_softmax(-1)
        best = row.topk(2).values.tolist()
        tokens.append(int(row.argmax()))
        logprobs.append(best[0])
        margins.append(best[0] - best[1])
    return tokens[len(ids) :], logprobs, min(margins)


def main(binary):
    pick = random.Random(2)
    worst = 0.0
    for number in range(16):
        with tempfile.TemporaryDirectory() as name:
            original, copy = pathlib.Path(name) / "transformers", pathlib.Path(name) / "yuyan"
            tokenizer = byte_tokenizer(original)
            torch.manual_seed(number)
            model = (random_gpt2 if number < 8 else random_llama)(pick).eval()
            configuration = model.config.to_diff_dict()
            model.save_pretrained(original)

            with torch.no_grad():
                for prompt in ["雨燕飞过屋顶。", "a", "The swift 🐦 flies;\n 一二三"]:
                    ids = tokenizer(prompt)["input_ids"]
                    tokens, logprobs, margin = greedy(model, ids, 20)
                    (answer,) = yuyan(
                        binary, "generate", "--model", original, "--prompt", prompt, "--greedy", "--max-tokens", 20, "--dtype", "float32", "--json"
                    )
                    expected = tokens[: tokens.index(256)] if 256 in tokens else tokens
                    got = [token for token in answer["tokens"] if token != 256]
                    if got != expected and margin > TOLERANCE:
                        sys.exit(f"{configuration}\n{prompt!r}: yuyan continues {got}, transformers {expected}")
                    difference = max((abs(a - b) for a, b in zip(answer["logprobs"], logprobs)), default=0.0)
                    worst = max(worst, difference)
                    if difference > TOLERANCE:
                        sys.exit(f"{configuration}\n{prompt!r}: log-probabilities differ by {difference}")

                yuyan(binary, "convert", "--from", original, "--to", copy, "--json")
                again, info = type(model).from_pretrained(copy, output_loading_info=True)
                problems = {key: list(value) for key, value in info.items() if value}
                if problems:
                    sys.exit(f"{configuration}\ntransformers does not take what yuyan wrote: {problems}")
                ids = torch.tensor([tokenizer("雨燕飞过屋顶")["input_ids"]])
                difference = float((again.eval()(ids).logits - model(ids).logits).abs().max())
                worst = max(worst, difference)
                if difference > TOLERANCE:
                    sys.exit(f"{configuration}\nthe logits of the converted model differ by {difference}")
                if again.generate(ids, max_new_tokens=10, do_sample=False).tolist() != model.generate(ids, max_new_tokens=10, do_sample=False).tolist():
                    sys.exit(f"{configuration}\nthe converted model's greedy tokens differ")
    print(f"language models: 16 random ones, greedy tokens equal, largest difference of a log-probability or logit {worst:.2g}")


if __name__ == "__main__":
    main(sys.argv[1])
