"""Decoding and prefill beside llama.cpp and transformers, in one run on this machine: a LLaMA of 1.1 billion parameters and a GPT-2 of 102 million, with random
weights that all three read from the same matrices. Prints a Markdown table of ratios.

Each side is measured in turn, `--rounds` times, in a process of its own; the best run of each counts, since the machine's other work only ever slows.
The files are made once in `--folder` (8 GB) and kept there.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--yuyan", required=True)
parser.add_argument("--llama-cpp", required=True, help="a python that has llama_cpp")
parser.add_argument("--folder", default=".bench")
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--models", nargs="+", default=["llama-1.1b", "gpt2"])
parser.add_argument("--json", help="also write the figures to this file")
arguments = parser.parse_args()
here = pathlib.Path(__file__).parent
LENGTH = ["--prompt-tokens", "256", "--tokens", "64"]
# Equal bytes: int8:32 is Q8_0 and int4 is Q4_0, to the number.
SCHEMES = {"bfloat16": None, "int8:32": "q8_0", "int4": "q4_0"}


def make(name, folder):
    """The Hugging Face folder of a random model, with a tokenizer whose tokens beyond the bytes are never met."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

    size = 32000 if name == "llama-1.1b" else 21128
    special = {"vocab_size": size, "bos_token_id": 256, "eos_token_id": 256, "pad_token_id": None}
    configuration = LlamaConfig(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32, num_key_value_heads=4, max_position_embeddings=2048,
        tie_word_embeddings=False, **special,
    ) if name == "llama-1.1b" else GPT2Config(**special)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(configuration, dtype=torch.bfloat16)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = letters + ["<|endoftext|>"] + [f"<unused{index}>" for index in range(size - 257)]
    tokenizer = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(folder)
    model.save_pretrained(folder)


def run(*command):
    """The object that a command prints last, with its seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{errors[-2000:]}")
    return json.loads(out.strip().splitlines()[-1]) | {"seconds": time.perf_counter() - start, "peak_mb": usage.ru_maxrss / 1024}


def files(name):
    """What each scheme is read from, made where it is missing: {scheme: (folder, GGUF file)}."""
    base = pathlib.Path(arguments.folder) / name
    original = base / "bfloat16"
    if not (original / "config.json").exists():
        original.mkdir(parents=True, exist_ok=True)
        make(name, original)
    made = {}
    for scheme, blocks in SCHEMES.items():
        folder, gguf = base / scheme.replace(":", "-"), base / f"{blocks or 'bf16'}.gguf"
        if not (folder / "config.json").exists():
            run(arguments.yuyan, "convert", "--from", original, "--to", folder, "--quantize", scheme, "--json")
        if not gguf.exists():
            run(arguments.yuyan, "convert", "--from", original, "--to", gguf, "--format", "gguf", *(["--blocks", blocks] if blocks else []), "--json")
        made[scheme] = (folder, gguf)
    return made


def best(runs, key):
    return max(one[key] for one in runs)


rows = []


def row(what, ours, theirs, ratio, goal):
    rows.append({"what": what, "yuyan": ours, "peer": theirs, "ratio": ratio, "goal": goal})


def measure(name):
    made = files(name)
    threads = ["--threads", arguments.threads]
    yuyan, single, eight, llama, torch = {}, {}, {}, {}, []
    for _ in range(arguments.rounds):
        for scheme, (folder, gguf) in made.items():
            bench = [arguments.yuyan, "benchmark", "generate", "--model", folder, "--dtype", "bfloat16", *LENGTH, *threads, "--json"]
            yuyan.setdefault(scheme, []).append(run(*bench))
            eight.setdefault(scheme, []).append(run(*bench, "--batch", 8))
            llama.setdefault(scheme, []).append(run(arguments.llama_cpp, here / "generate_llama_cpp.py", "--model", gguf, *LENGTH, *threads))
            one = [arguments.yuyan, "generate", "--model", folder, "--max-tokens", 1, "--greedy", "--json", *threads, "雨燕"]
            single.setdefault(scheme, []).append(run(*one))
        torch.append(run(sys.executable, here / "generate_transformers.py", "--model", made["bfloat16"][0], *LENGTH))
    for scheme, runs in yuyan.items():
        ours, theirs = best(runs, "decode_tokens_per_second"), best(llama[scheme], "decode_tokens_per_second")
        row(f"{name} decode {scheme}, tok/s, against llama.cpp {SCHEMES[scheme] or 'bf16'}", ours, theirs, ours / theirs, 1.0)
    for scheme, runs in yuyan.items():
        row(f"{name} decode {scheme}, share of the read bandwidth", best(runs, "share_of_bandwidth"), None, None, 0.9)
    prefill = {scheme: best(runs, "prefill_tokens_per_second") for scheme, runs in yuyan.items()}
    other = max(best(runs, "prefill_tokens_per_second") for runs in llama.values())
    for scheme, speed in prefill.items():
        row(f"{name} prefill 256 {scheme}, tok/s, against llama.cpp's best", speed, other, speed / other, 1.3)
    ours, theirs = best(yuyan["bfloat16"], "decode_tokens_per_second"), best(torch, "decode_tokens_per_second")
    row(f"{name} decode, tok/s, against transformers bfloat16", ours, theirs, ours / theirs, 2.0 if name == "llama-1.1b" else 3.0)
    for scheme, runs in eight.items():
        ours, one = best(runs, "decode_tokens_per_second"), best(yuyan[scheme], "decode_tokens_per_second")
        row(f"{name} batch 8 {scheme}, tok/s, against batch 1", ours, one, ours / one, 4.0)
    for scheme, runs in single.items():
        row(f"{name} first token from a cold process {scheme}, s", min(one["seconds"] for one in runs), None, None, "< 1")
    for scheme, runs in single.items():
        weights = sum(file.stat().st_size for file in made[scheme][0].glob("*.safetensors")) / 1e6
        peak = min(one["peak_mb"] for one in runs) * 1.048576
        row(f"{name} peak memory {scheme}, MB, against the weights", peak, weights, peak / weights, "≤ 1.2")


for name in arguments.models:
    measure(name)
print("| | Yuyan | other | ratio | goal |\n| --- | --- | --- | --- | --- |")
for one in rows:
    other = "" if one["peer"] is None else f"{one['peer']:.1f}"
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}×"
    print(f"| {one['what']} | {one['yuyan']:.2f} | {other} | {ratio} | {one['goal']} |")
if arguments.json:
    pathlib.Path(arguments.json).write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
