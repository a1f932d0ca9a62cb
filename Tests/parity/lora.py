"""LoRA adapters against peft, both ways, through the binary: python Tests/parity/lora.py PATH/TO/yuyan

`yuyan finetune --lora` trains adapters for random models of transformers; peft must load them and give the same log-probabilities as `yuyan generate`,
and merged by `yuyan convert --merge` they must give them too.
"""

import json
import pathlib
import random
import sys
import tempfile

import peft
import torch
from transformers import AutoModelForCausalLM

from language_models import TOLERANCE, byte_tokenizer, greedy, random_gpt2, random_llama, yuyan


def main(binary):
    pick = random.Random(3)
    worst = 0.0
    for number in range(4):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            base, run, merged = folder / "base", folder / "run", folder / "merged"
            tokenizer = byte_tokenizer(base)
            torch.manual_seed(number)
            (random_gpt2 if number < 2 else random_llama)(pick).save_pretrained(base)
            pairs = [{"question": f"第{i}问", "answer": f"答{i}"} for i in range(24)]
            (folder / "faq.jsonl").write_text("\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs), encoding="utf-8")
            yuyan(
                binary, "finetune", "--model", base, "--data", folder / "faq.jsonl", "--template", "belle", "--lora.rank", 4 + number,
                *(["--lora.scales-by-root"] if number % 2 else []), "--sequence-length", 60, "--steps", 6, "--learning-rate", 0.02, "--dtype", "float32",
                "--output", run, "--json",
            )
            adapted = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), run / "latest").eval()
            yuyan(binary, "convert", "--from", run, "--to", merged, "--merge", "--json")
            again = AutoModelForCausalLM.from_pretrained(merged).eval()
            prompt = "Human: 第3问"
            ids = tokenizer(prompt)["input_ids"]
            with torch.no_grad():
                tokens, logprobs, margin = greedy(adapted, ids, 12)
                plain = greedy(AutoModelForCausalLM.from_pretrained(base).eval(), ids, 12)
                difference = float((again(torch.tensor([ids])).logits - adapted(torch.tensor([ids])).logits).abs().max())
            (answer,) = yuyan(
                binary, "generate", "--model", run, "--prompt", prompt, "--greedy", "--max-tokens", 12, "--dtype", "float32", "--json")
            expected = tokens[: tokens.index(256)] if 256 in tokens else tokens
            got = [token for token in answer["tokens"] if token != 256]
            if got != expected and margin > TOLERANCE:
                sys.exit(f"lora {number}: yuyan continues {got}, peft {expected}")
            difference = max([difference] + [abs(a - b) for a, b in zip(answer["logprobs"], logprobs)])
            worst = max(worst, difference)
            if difference > 5 * TOLERANCE:
                sys.exit(f"lora {number}: log-probabilities or logits differ by {difference}")
            if max(abs(a - b) for a, b in zip(plain[1], logprobs)) < 0.01:
                sys.exit(f"lora {number}: the adapter changes nothing")
    print(f"lora: 4 adapters trained here, the same in peft and merged, largest difference {worst:.2g}")


if __name__ == "__main__":
    main(sys.argv[1])
