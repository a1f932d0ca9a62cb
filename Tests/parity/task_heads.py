"""Task heads against transformers, through the binary: python Tests/parity/task_heads.py PATH/TO/yuyan

`yuyan finetune --kind` gives random models of transformers a head; transformers must load the result as a model for sequence classification and give the
probabilities that `yuyan evaluate` writes.
"""

import json
import pathlib
import random
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, OpenAIGPTConfig, OpenAIGPTLMHeadModel

from language_models import TOLERANCE, byte_tokenizer, random_gpt2, random_llama, yuyan


def random_gpt1(pick):
    heads = pick.choice([2, 4])
    return OpenAIGPTLMHeadModel(OpenAIGPTConfig(vocab_size=300, n_positions=96, n_embd=heads * 8, n_layer=2, n_head=heads, initializer_range=0.2))


def main(binary):
    pick = random.Random(5)
    worst, count = 0.0, 0
    for number, make in enumerate([random_gpt1, random_gpt2, random_llama]):
        for kind in ["classification", "entailment"]:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                tokenizer = byte_tokenizer(folder / "base")
                torch.manual_seed(number)
                make(pick).save_pretrained(folder / "base")
                rows = []
                for i in range(24):
                    texts = {"text": f"第{i}条"} if kind == "classification" else {"premise": f"第{i}条", "hypothesis": f"{i * 7 % 10}"}
                    rows.append({**texts, "label": ["差", "好", "中"][i % 3]})
                (folder / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
                yuyan(
                    binary, "finetune", "--kind", kind, "--model", folder / "base", "--data", folder / "rows.jsonl", "--sequence-length", 60,
                    "--steps", 6, "--learning-rate", 0.01, "--dtype", "float32", "--output", folder / "run", "--json",
                )
                (report,) = yuyan(
                    binary, "evaluate", kind, "--model", folder / "run", "--dtype", "float32", "--output", folder / "measured", "--json",
                    folder / "rows.jsonl",
                )
                head = AutoConfig.from_pretrained(folder / "run" / "latest").task_head
                model = AutoModelForSequenceClassification.from_pretrained(folder / "run" / "latest").eval()
                for line in (folder / "measured" / "decisions.jsonl").read_text(encoding="utf-8").splitlines():
                    decision = json.loads(line)
                    texts = [tokenizer(text)["input_ids"] for text in decision["texts"]]
                    ids = [head["start"]] + texts[0]
                    for text in texts[1:]:
                        ids += [head["delimiter"]] + text
                    with torch.no_grad():
                        logits = model(torch.tensor([ids + [head["extract"]]])).logits[0]
                    probability = float(logits.softmax(-1)[model.config.label2id[decision["decision"]]])
                    worst = max(worst, abs(probability - decision["probability"]))
                    count += 1
                if report["count"] != len(rows) or worst > TOLERANCE:
                    sys.exit(f"heads {make.__name__} {kind}: {report['count']} examples, probabilities differ by {worst}")
    print(f"task heads: {count} decisions as transformers' sequence classification makes them, largest difference {worst:.2g}")


if __name__ == "__main__":
    main(sys.argv[1])
