"""Makes heads.json: scores, losses and gradients of GPT-1 and GPT-2 with a task head, one sequence after the other in plain torch, with weights from the
formula of Tests/YuyanModelsTests/Fixtures/gpt2.py. Classification is held against transformers' models for sequence classification besides.

pip install torch transformers; python Tests/YuyanTrainingTests/Fixtures/heads.py
"""

import json
import pathlib
import sys

import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "YuyanModelsTests" / "Fixtures"))
from gpt2 import weight  # noqa: E402

WORDS = 40
START, DELIMITER, EXTRACT = WORDS, WORDS + 1, WORDS + 2


def fill(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            name = name.removeprefix("transformer.")
            transposed = parameter.ndim == 2 and name.startswith("h.")  # Conv1D keeps [in, out]; the formula is over [out, in]
            value = weight(name, parameter.shape[::-1] if transposed else parameter.shape)
            parameter.copy_(value.T if transposed else value)


def text(seed, length):
    return [(seed * 17 + place * place * 5 + place * 3) % WORDS for place in range(length)]


def sequences(task, texts):
    """Figure 1 of Radford et al. 2018."""
    if task == "classification":
        return [[START, *texts[0], EXTRACT]]
    if task == "entailment":
        return [[START, *texts[0], DELIMITER, *texts[1], EXTRACT]]
    if task == "similarity":
        one, other = texts
        return [[START, *one, DELIMITER, *other, EXTRACT], [START, *other, DELIMITER, *one, EXTRACT]]
    return [[START, *texts[0], DELIMITER, *answer, EXTRACT] for answer in texts[1:]]


def examples(task):
    if task == "classification":
        return [([text(1, 7)], 2), ([text(2, 3)], 0), ([text(3, 9)], 1)]
    if task in ("entailment", "similarity"):
        return [([text(1, 5), text(2, 4)], 1), ([text(3, 2), text(4, 6)], 0)]
    return [([text(1, 5), text(2, 2), text(3, 3)], 1), ([text(4, 3), text(5, 2), text(6, 1), text(7, 4)], 0)]


def main():
    cases = []
    tiny = dict(vocab_size=WORDS + 3, n_positions=40, n_embd=32, n_layer=2, n_head=4)
    for family in ["openai-gpt", "gpt2"]:
        for task, outputs in [("classification", 3), ("entailment", 2), ("similarity", 2), ("choice", 1)]:
            if family == "openai-gpt":
                configuration = transformers.OpenAIGPTConfig(**tiny, num_labels=outputs)
                kind = transformers.OpenAIGPTForSequenceClassification
            else:
                configuration = transformers.GPT2Config(**tiny, num_labels=outputs, bos_token_id=0, eos_token_id=0, attn_implementation="eager")
                kind = transformers.GPT2ForSequenceClassification
            model = kind(configuration).float().eval()
            fill(model)
            embedding = model.transformer.tokens_embed if family == "openai-gpt" else model.transformer.wte
            task_loss, language_loss, count, scores = 0, 0, 0, []
            for texts, label in examples(task):
                ends = []
                for sequence in sequences(task, texts):
                    tokens = torch.tensor([sequence])
                    hidden = model.transformer(tokens)[0]
                    words = hidden[0, :-1] @ embedding.weight.T
                    language_loss += torch.nn.functional.cross_entropy(words, tokens[0, 1:], reduction="sum")
                    count += len(sequence) - 1
                    ends.append(hidden[0, -1])
                    if task == "classification":
                        theirs = model(tokens, labels=torch.tensor([label]))
                        assert torch.allclose(theirs.logits[0], model.score(hidden[0, -1]), atol=1e-6)
                if task == "choice":
                    logits = torch.cat([model.score(end) for end in ends])
                else:
                    logits = model.score(sum(ends))
                loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([label]))
                if task == "classification":
                    assert torch.allclose(theirs.loss, loss, atol=1e-6)
                task_loss += loss
                scores.append([float(x) for x in logits])
            task_loss /= len(scores)
            language_loss /= count
            (task_loss + 0.5 * language_loss).backward()
            gradients = {}
            for name, parameter in model.named_parameters():
                transposed = parameter.ndim == 2 and name.startswith("transformer.h.")
                gradient = parameter.grad.T if transposed else parameter.grad
                gradients[name] = {"norm": float(gradient.norm()), "samples": [float(x) for x in gradient.flatten()[::7][:6]]}
            cases.append(
                {
                    "family": family,
                    "task": task,
                    "examples": [{"texts": texts, "label": label} for texts, label in examples(task)],
                    "scores": scores,
                    "taskLoss": float(task_loss),
                    "languageLoss": float(language_loss),
                    "gradients": gradients,
                }
            )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
