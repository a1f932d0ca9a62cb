"""Time of each generated token against its place, with and without the KV cache, drawn as an SVG.

    python3 Benchmarks/cache.py .build/release/yuyan docs/images/kv-cache.svg
"""

import json
import statistics
import subprocess
import sys

binary, target = sys.argv[1:3]
PROMPT, TOKENS = 16, 496


def measure(*more):
    command = [binary, "benchmark", "generate", "--model", "gpt2", "--vocab-size", "21128", "--dtype", "bfloat16"]
    command += ["--prompt-tokens", str(PROMPT), "--tokens", str(TOKENS), "--json", *more]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [1000 * s for s in json.loads(out)["seconds_per_token"]]


def smooth(values, window=9):
    return [statistics.median(values[max(0, i - window // 2): i + window // 2 + 1]) for i in range(len(values))]


curves = {"with the cache": ("#0a7", smooth(measure())), "without": ("#c33", smooth(measure("--no-cache")))}
top = max(max(values) for _, values in curves.values())
width, height, left, bottom = 720, 360, 56, 40
x = lambda i: left + (width - left - 20) * i / TOKENS
y = lambda ms: height - bottom - (height - bottom - 40) * ms / top
parts = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
    f'<rect width="{width}" height="{height}" fill="#fff"/>',
    f'<text x="{left}" y="22" font-size="14">Milliseconds per token against its place: GPT-2 small, bfloat16, 2 threads</text>',
]
for tick in range(5):
    ms = top * tick / 4
    parts.append(f'<path d="M{left} {y(ms):.1f}H{width - 20}" stroke="#ddd"/><text x="{left - 6}" y="{y(ms) + 4:.1f}" text-anchor="end">{ms:.0f}</text>')
for tick in range(0, TOKENS + 1, 100):
    parts.append(f'<text x="{x(tick):.1f}" y="{height - 18}" text-anchor="middle">{PROMPT + tick}</text>')
for index, (name, (color, values)) in enumerate(curves.items()):
    points = " ".join(f"{x(i):.1f},{y(ms):.1f}" for i, ms in enumerate(values))
    parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
    label = f"{name}: {values[10]:.1f} ms at token {PROMPT + 10}, {values[-1]:.1f} ms at token {PROMPT + len(values)}"
    parts.append(f'<text x="{left + 12}" y="{52 + 18 * index}" fill="{color}">{label}</text>')
    print(label)
parts.append("</svg>")
with open(target, "w", encoding="utf-8") as file:
    file.write("\n".join(parts) + "\n")
