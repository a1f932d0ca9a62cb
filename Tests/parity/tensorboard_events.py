"""Trains a tiny model with the binary and reads its event file back with TensorBoard: every figure of metrics.jsonl must be there.

    python tensorboard_events.py YUYAN
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

binary = sys.argv[1]
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)

    def yuyan(*words):
        subprocess.run([binary, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    lines = [f"第{i}天，雨燕飞过第{i * 7 % 50}座山。" for i in range(300)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    yuyan("tokenizer", "train", "--kind", "character", "--vocab-size", "320", "--output", "tokenizer", "corpus.jsonl")
    yuyan("data", "pack", "--tokenizer", "tokenizer", "--output", "pack", "corpus.jsonl")
    train = ["pretrain", "--data", "pack", "--model", "gpt-nano", "--sequence-length", "32", "--micro-batch", "4", "--threads", "1", "--output", "run"]
    yuyan(*train, "--steps", "12", "--evaluate-every", "4", "--checkpoint-every", "6", "--sample-prompts", "雨燕")

    events = EventAccumulator(str(folder / "run"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    records = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    assert len(records) == 12, len(records)
    checked = 0
    for key in {key for record in records for key in record} - {"step", "tokens"}:
        expected = [(record["step"], record[key]) for record in records if key in record]
        tags = [tag for tag in events.Tags()["scalars"] if tag == key or tag.endswith("/" + key)]
        assert len(tags) == 1, (key, events.Tags()["scalars"])
        found = [(event.step, event.value) for event in events.Scalars(tags[0])]
        assert [step for step, _ in found] == [step for step, _ in expected], key
        assert all(abs(a - b) <= 1e-6 * max(1, abs(b)) for (_, a), (_, b) in zip(found, expected)), key
        checked += len(found)
    assert events.Tags()["tensors"], "the samples are missing"
    print(f"TensorBoard reads {checked} figures of 12 steps, and the samples")
