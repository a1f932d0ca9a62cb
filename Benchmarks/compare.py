"""Runs Yuyan and its peers in turn on this machine and prints what came out as a Markdown table of ratios.

Each pair is measured alternately, `--rounds` times. A run reports its median step or token; the best run of each side counts, since the
machine's other work only ever slows.
Real tokenizers and text are found through YUYAN_TEST_DATA; without it, the tokenizer rows are left out.
"""

import argparse
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("--yuyan", required=True)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--json", help="also write the figures to this file")
parser.add_argument("parts", nargs="*", default=[])
arguments = parser.parse_args()
parts = arguments.parts or ["train", "generate", "tokenize"]
here = os.path.dirname(os.path.abspath(__file__))
rows = []


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def yuyan(*words):
    return run(arguments.yuyan, "benchmark", *words, "--json")


def peer(script, *words):
    return run(sys.executable, os.path.join(here, script), *words)


def best(runs, key, worst=False):
    return (min if worst else max)(one[key] for one in runs)


def row(what, ours, theirs, goal):
    rows.append({"what": what, "yuyan": ours, "peer": theirs, "ratio": ours / theirs, "goal": goal})


if "train" in parts:
    ours, eager, compiled = [], [], []
    for _ in range(arguments.rounds):
        ours.append(yuyan("train", "--model", "gpt2", "--vocab-size", "21128", "--batch", "4", "--sequence", "512", "--steps", "7"))
        eager.append(peer("train_transformers.py", "--steps", "7"))
        compiled.append(peer("train_transformers.py", "--steps", "7", "--compile"))
    speed = best(ours, "tokens_per_second")
    row("train GPT-2 small 4×512 bf16, tok/s, against transformers autocast", speed, best(eager, "tokens_per_second"), 1.9)
    row("the same against torch.compile", speed, best(compiled, "tokens_per_second"), 1.5)
    rows.append({"what": "share of the bf16 matrix ceiling", "yuyan": best(ours, "share_of_ceiling"), "peer": None, "ratio": None, "goal": None})
    memory, other = best(ours, "peak_rss_mb", True), best(eager, "peak_rss_mb", True)
    rows.append({"what": "peak memory, MB (lower is better)", "yuyan": memory, "peer": other, "ratio": memory / other, "goal": "< 1"})

if "generate" in parts:
    words = ["--prompt-tokens", "128", "--tokens", "128"]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(yuyan("generate", "--model", "gpt2", "--vocab-size", "21128", "--dtype", "bfloat16", *words))
        theirs.append(peer("generate_transformers.py", *words))
    row("decode GPT-2 small bf16, tok/s, against transformers", best(ours, "decode_tokens_per_second"), best(theirs, "decode_tokens_per_second"), 2.0)
    row("prefill 128 tokens, tok/s, against transformers", best(ours, "prefill_tokens_per_second"), best(theirs, "prefill_tokens_per_second"), None)

data = os.environ.get("YUYAN_TEST_DATA")
if "tokenize" in parts and data:
    files = sorted(glob.glob(f"{data}/text/luxun/*.txt") + glob.glob(f"{data}/text/weekly/*.md"))
    for name, goal in [("bert-base-chinese", 8.0), ("gpt-neox", 5.0)]:
        folder = f"{data}/tokenizers/{name}"
        ours = [yuyan("tokenize", "--tokenizer", folder, *files) for _ in range(arguments.rounds)]
        theirs = [peer("tokenize_huggingface.py", folder, *files) for _ in range(arguments.rounds)]
        row(f"encode with {name}, MB/s, one thread, against tokenizers", best(ours, "megabytes_per_second"), best(theirs, "megabytes_per_second"), goal)

if "pack" in parts and data:
    files = sorted(glob.glob(f"{data}/text/luxun/*.txt") + glob.glob(f"{data}/text/weekly/*.md"))
    with tempfile.TemporaryDirectory() as folder:
        text = b"\n".join(open(file, "rb").read() for file in files)
        for copy in range(12):
            with open(f"{folder}/{copy:02}.txt", "wb") as file:
                file.write(f"{copy}".encode() + text)
        open(f"{folder}/one.md", "w").write("雨燕。")
        for name, goal in [("bert-base-chinese", 20.0), ("gpt-neox", 12.0)]:

            def seconds(*paths):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                command = ["data", "pack", "--tokenizer", f"{data}/tokenizers/{name}", "--output", f"{folder}/out", *paths]
                subprocess.run([arguments.yuyan, *command], check=True, capture_output=True)
                shutil.rmtree(f"{folder}/out")
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

            start = min(seconds(f"{folder}/one.md") for _ in range(2))
            time = min(seconds(*glob.glob(f"{folder}/*.txt")) for _ in range(arguments.rounds))
            rows.append(
                {"what": f"pack with {name}, MB/s per core", "yuyan": 12 * len(text) / 1e6 / (time - start), "peer": None, "ratio": None, "goal": goal})

print("| | Yuyan | peer | ratio | goal |\n| --- | --- | --- | --- | --- |")
for one in rows:
    peers = "" if one["peer"] is None else f"{one['peer']:.1f}"
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}×"
    print(f"| {one['what']} | {one['yuyan']:.2f} | {peers} | {ratio} | {one['goal'] or ''} |")
if arguments.json:
    with open(arguments.json, "w", encoding="utf-8") as file:
        json.dump(rows, file, ensure_ascii=False, indent=2)
