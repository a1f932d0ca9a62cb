"""Makes bleu.json: sacrebleu's words and scores (--tokenize zh) of texts made here.

pip install sacrebleu; python Tests/YuyanEvaluationTests/Fixtures/bleu.py
"""

import json
import pathlib
import random

import sacrebleu

draw = random.Random(5)
pieces = (
    list("雨燕一生都在飞春天来了燕子在屋檐下做窝的是不我你他") + ["，", "。", "！", "“", "”", "…", "——", "《", "》", "（", "）", "：", "　", " ", "\u3400", "\u9fbb", "\U00020000"]
    + ["swift", "3.14", "1,000", "2026-11-21", "a.b", "x-y", "it's", "50%", "C++", "e-mail@x.cn", "[1]", "~", "^2", "_", "No.", "7.", ",8", "→", "①", "ｆｕｌｌ", "é", "́"]
)


def text():
    return "".join(draw.choice(pieces) for _ in range(draw.randint(0, 25)))


def changed(line):
    marks = [draw.choice(pieces) if draw.random() < 0.2 else c for c in line]
    return "".join(marks[: draw.randint(len(marks) // 2, len(marks))])


cases = []
for count in [1, 1, 2, 3, 20, 60]:
    for near in [True, False]:
        references = [text() for _ in range(count)]
        texts = [changed(line) for line in references] if near else [text() for _ in references]
        result = sacrebleu.corpus_bleu(texts, [references], tokenize="zh")
        tokenizer = sacrebleu.metrics.BLEU(tokenize="zh").tokenizer
        cases.append({"texts": texts, "references": references, "words": [tokenizer(line).split() for line in texts], "score": result.score,
                      "precisions": result.precisions, "brevityPenalty": result.bp, "length": result.sys_len, "referenceLength": result.ref_len})
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes, sacrebleu", sacrebleu.__version__, [round(case["score"], 2) for case in cases])
