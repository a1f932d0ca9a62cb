"""Compares `yuyan tokenizer encode` with the reference libraries, line by line.

    python Tests/parity/tokenizer_ids.py YUYAN

YUYAN is the binary; YUYAN_TEST_DATA names the folder with tokenizers/, text/ and dialog/. Every line of text/ and dialog/, and a file of hard and broken lines, is
encoded with every tokenizer in tokenizers/, with tokenizers trained by `yuyan tokenizer train`, and with ones trained by Python's tokenizers and
sentencepiece. Needs: tokenizers, sentencepiece, transformers. Exits with 1 if any line differs.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import sentencepiece
from tokenizers import BertWordPieceTokenizer, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

# No name of a special token of ours is here: sentencepiece takes those for text. The golden tests have them.
HARD = "\n".join([
    "", " ", "\t\u000b\u000c", "😀👨‍👩‍👧‍👦🇨🇳❤️", "e\u0301\u0327 ñ ǭ Å क्षि 각 ガ", "１２３ＡＢＣ（全角）", "混合mixed文字1234text", "\u0000\u0001\u007f\u0085\u200b\u200d\ufeff", "it's they'RE 'ſ",
    "\ufffd\ue000\U000f0000𠀀豈", "[CLS]<s></s><0x0A>▁ ##a Ġ", "长" * 100000, "x" * 30000, "，。" * 30000, "a" * 101 + "。", " " * 5000,
]).encode() + b"\n\xff\xc3(\xe4\xb8\n\xed\xa0\x80\xf0\x9f\x98 ok \xf4\x90\x80\x80\r\n\xe9\x9b\xa8\xff"  # fmt: skip


def files(data):
    found = sorted(path for name in ("text", "dialog") for path in (data / name).rglob("*") if path.is_file())
    if not found:
        sys.exit(f"{data} holds no files in text/ and dialog/.")
    return found


def lines(content):
    result = content.split(b"\n")
    return [line.decode("utf-8", "replace") for line in (result[:-1] if result[-1] == b"" else result)]


def batch(tokenizer):
    def encode(texts):
        parts = (texts[start : start + 10000] for start in range(0, len(texts), 10000))  # the encodings of all lines at once fill gigabytes
        return [encoding.ids for part in parts for encoding in tokenizer.encode_batch(part, add_special_tokens=False)]

    return encode


def reference(folder):
    """The reference library's way to ids for a tokenizer's folder."""
    for name in ("tokenizer.model", "spiece.model"):
        if (folder / name).exists():
            return sentencepiece.SentencePieceProcessor(model_file=str(folder / name)).encode
    if (folder / "tokenizer.json").exists():
        return batch(Tokenizer.from_file(str(folder / "tokenizer.json")))
    return batch(BertWordPieceTokenizer(str(folder / "vocab.txt")))


def trained_there(corpus, folder):
    texts = lines(corpus.read_bytes())
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe_trainer = trainers.BpeTrainer(vocab_size=8000, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    qwen = Tokenizer(models.BPE())
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    qwen.normalizer = normalizers.NFC()
    qwen.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    wordpiece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer()
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wordpiece_trainer = trainers.WordPieceTrainer(vocab_size=8000, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    for name, tokenizer, trainer in [("bpe", bpe, bpe_trainer), ("qwen", qwen, bpe_trainer), ("wordpiece", wordpiece, wordpiece_trainer)]:
        tokenizer.train_from_iterator(texts, trainer)
        (folder / name).mkdir()
        tokenizer.save(str(folder / name / "tokenizer.json"))
        yield folder / name
    for kind in ("unigram", "bpe"):
        target = folder / f"sentencepiece-{kind}"
        target.mkdir()
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(target / "tokenizer"), vocab_size=8000, model_type=kind, byte_fallback=kind == "bpe",
            max_sentence_length=100000, minloglevel=2)  # fmt: skip
        yield target


def trained_here(yuyan, corpus, folder):
    for kind in ("bpe", "wordpiece", "character", "unigram"):
        subprocess.run([yuyan, "tokenizer", "train", "--kind", kind, "--vocab-size", "8000", "--output", folder / kind, corpus], check=True, stdout=subprocess.DEVNULL)
        yield folder / kind


def chat_differs(folder):
    """transformers renders our template as we describe it."""
    messages = [{"role": "system", "content": "你是雨燕。"}, {"role": "user", "content": "it's"}, {"role": "assistant", "content": "好"}]
    rendered = AutoTokenizer.from_pretrained(str(folder)).apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return rendered != "<|system|>你是雨燕。<|end|><|user|>it's<|end|><|assistant|>好<|end|><|assistant|>"


def compare(yuyan, name, folder, content, texts):
    run = subprocess.run([yuyan, "tokenizer", "encode", "--tokenizer", folder], input=content, stdout=subprocess.PIPE, check=True)
    ours = [[int(number) for number in line.split()] for line in run.stdout.decode().split("\n")[:-1]]
    theirs = reference(folder)(texts)
    different = [index for index, (left, right) in enumerate(zip(ours, theirs)) if left != list(right)]
    count = len(different) + abs(len(ours) - len(theirs))
    print(f"{name}: {len(theirs)} lines, {count} differ", flush=True)
    for index in different[:3]:
        print(f"  line {index + 1} {texts[index][:60]!r}\n    here  {ours[index][:20]}\n    there {list(theirs[index])[:20]}")
    return count


def main(yuyan, data):
    paths = files(data)
    # Every file ends its last line, so that lines do not run into each other.
    content = b"".join(text if text.endswith(b"\n") else text + b"\n" for text in map(pathlib.Path.read_bytes, paths)) + HARD
    texts = lines(content)
    wrong = 0
    for folder in sorted((data / "tokenizers").iterdir()):
        wrong += compare(yuyan, folder.name, folder, content, texts)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        corpus = temporary / "corpus.txt"
        prose = [path.read_bytes() for path in paths if path.suffix in (".txt", ".md")]
        corpus.write_bytes(b"\n".join(prose)[:3_000_000].decode("utf-8", "ignore").encode())
        (temporary / "here").mkdir()
        (temporary / "there").mkdir()
        for folder in trained_here(yuyan, corpus, temporary / "here"):
            wrong += compare(yuyan, f"trained here, {folder.name}", folder, content, texts)
            if chat_differs(folder):
                print("  the chat template is rendered differently")
                wrong += 1
        for folder in trained_there(corpus, temporary / "there"):
            wrong += compare(yuyan, f"trained there, {folder.name}", folder, content, texts)
    return 1 if wrong else 0


if __name__ == "__main__":
    data = os.environ.get("YUYAN_TEST_DATA")
    if not data:
        print("skipped: YUYAN_TEST_DATA names no folder with real tokenizers and text")
        sys.exit(0)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(data).resolve()))
