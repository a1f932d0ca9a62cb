"""Writes N short Chinese documents (60 to 100 characters) as JSON Lines, of which a fifth are copies with one character changed and a twentieth exact copies.

    python3 Benchmarks/generate_duplicates.py 1000000 documents.jsonl

A copy of d000000012 has the id d000000012.1 and stands somewhere behind it. Prints how many there are of each kind: what deduplication should drop.
"""

import argparse
import json
import random

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("count", type=int)
parser.add_argument("file")
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()

source = random.Random(arguments.seed)
alphabet = [chr(0x4E00 + place) for place in range(5000)]
pool = "".join(source.choices(alphabet, k=4_000_000))
last = len(pool) - 16
recent = []  # what copies are made of: (id, text, copies so far)
near = exact = 0
draw = source.random

with open(arguments.file, "w", encoding="utf-8") as file:
    lines = []
    for number in range(arguments.count):
        kind = draw()
        if kind < 0.25 and recent:
            original = recent[int(draw() * len(recent))]
            original[2] += 1
            id, text = f"{original[0]}.{original[2]}", original[1]
            if kind < 0.2:
                place = int(draw() * len(text))
                # Latin letters are in no original: the copy differs, whatever stood there.
                text = text[:place] + "abcdefghijklmnopqrstuvwxyz"[original[2] % 26] + text[place + 1 :]
                near += 1
            else:
                exact += 1
        else:
            # Ten runs from anywhere: two documents have next to nothing in common.
            text = "".join([pool[place : place + 10] for place in [int(draw() * last) for _ in range(10)]])[: 60 + int(draw() * 41)]
            id = f"d{number:09}"
            if len(recent) < 10_000:
                recent.append([id, text, 0])
            else:
                recent[int(draw() * 10_000)] = [id, text, 0]
        lines.append(f'{{"id": "{id}", "text": "{text}"}}\n')
        if len(lines) == 100_000:
            file.writelines(lines)
            lines.clear()
    file.writelines(lines)

print(json.dumps({"documents": arguments.count, "near_copies": near, "exact_copies": exact}))
