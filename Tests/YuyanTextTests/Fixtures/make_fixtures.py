"""Makes the golden files beside it: small tokenizers trained on a text of our own, and the ids that the reference libraries give to hard strings.

    python make_fixtures.py DATA

DATA holds tokenizers/ with real tokenizers; only their ids are written here, never their vocabularies.
Needs: tokenizers, sentencepiece, transformers (versions are recorded in golden.json).
"""

import io
import json
import pathlib
import sys

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
TEXT = """雨燕是一种飞得很快的鸟，一生大半的时间都在天上度过。春天，它们从非洲飞回北方；夏末，又成群地离开。
雨燕的脚很短，不能在地上行走，只能抓住墙壁和岩石。它们在屋檐下、塔楼里筑巢，用唾液把草茎和羽毛粘在一起。
老人说：“雨燕低飞，要下雨了。”孩子们抬起头，数天上的燕子：一只、两只、三只……数不清了。
The swift is a fast bird: it eats, drinks and even sleeps while flying. It's said that they don't land for months!
A swift weighs about 40 grams and flies up to 111 km/h; some have flown 14,000 km in 1 season (2023-2024).
语言是人的翅膀。Language gives us wings, and a model of language learns them from text: 字、词、句、篇。
def fly(bird, height=100):
    return f"{bird} 飞到 {height} 米高"
Über den Dächern fliegen Mauersegler; où vont-ils? Они улетают на юг. ツバメは速い。제비가 날아간다。
""" * 4

CASES = [
    "", " ", "  ", "\n", "\t\n \r\n", "a", "燕", "雨燕", "The swift, it's FAST!", "they're we've I'm he'll I'd can't 'tis 'S 'ſ",
    "雨燕飞得很快，数不清了……", "“雨燕低飞，要下雨了。”", "混合mixed文字text中English文", "１２３ＡＢＣ（全角）！？", "1234567890 3.14159 14,000", "²³½Ⅷ①㈠",
    "😀", "👨‍👩‍👧‍👦 family", "🇨🇳👍🏽", "❤️ ☃︎", "e\u0301 é E\u0301\u0327 ñ ǭ Å Å", "क्षि नमस्ते", "한국어 조선말 각", "ﾊﾝｶｸ ガ ガ", "שָׁלוֹם مَرْحَبًا", "ไทย ภาษา",
    "a\u0300\u0315\u0320b\u0344", "\u1e9b\u0323 ﬁ ﬃ ™ ℌ", "İstanbul ıI ẞß ΑΣ ὈΔΥΣΣΕΎΣ", "\u0000", "a\u0000b\u0001c\u007f\u0085d", "\u200b\u200c\u200d\ufeff\u00ad",
    "\u2028\u2029\u00a0\u3000\u1680\u202f", "\ufffd \ue000 \U000f0000", "𠀀𪜀𫠠𬺡 㐀 豈 丽", "𝒳𝟘 𐐀𐐨 𞤀", "#$%^&*()_+-=[]{}|;:,.<>/?`~\"\\", "。，、；：？！「」『』《》—…·",
    "    indented\n\tcode = {'a': 1}  # 注释\n\n\n  end   ", "a  b   c    d", " leading and trailing ", "\r\r\n\n\r", "https://例子.com/path?q=1&r=二#frag",
    "[CLS] [SEP] [MASK] [UNK] [PAD]", "<|endoftext|>", "a<|endoftext|>b <|endoftext|> c", "<s></s><unk><0x0A>", "<|user|>你好<|end|>", "[CLS][CLS]雨[MASK]",
    "▁ ▁▁ ▁a", "##ing ##", "Ġ Ċ âĢ", "x" * 130, "长" * 130, "ab" * 70 + " c", "a" * 99 + " " + "a" * 100 + " " + "a" * 101, "-" * 97 + "=" * 33 + "8" * 21,
    "语言 " * 60, "，。" * 50, "中文abc，" * 40, "word words a word, 燕子 <l>a <l>  <l>b<r>  <r> c<r>\n<r>d <l>", "|||EMAIL_ADDRESS||| and |||PHONE_NUMBER|||x", "                         many spaces",
]  # fmt: skip
INVALID = [
    b"\xff", b"ok\xc3", b"\xc3(", b"\xe4\xb8", b"\xe4\xb8\xad\xe4\xb8", b"\xe4(\xad", b"\xf0\x9f\x98", b"\xf0\x9f\x98\x80\xf0\x9f", b"\xed\xa0\x80", b"\xc0\x80",
    b"\xf4\x90\x80\x80", b"\xf5\x80", b"\x80\x80\x80", b"\xe0\x80\x80", b"\xe9\x9b\xa8\xff\xe7\x87\x95", b"a\xf0\x80\x80\x80b", b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
]  # fmt: skip


def train(tokenizer, trainer, name, added=()):
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    tokenizer.add_tokens(list(added))
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return name, tokenizer


def trained():
    special = ["<|endoftext|>", "<|user|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()

    gpt2 = Tokenizer(models.BPE())
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    gpt2.decoder = decoders.ByteLevel()
    yield train(gpt2, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False), "bpe-gpt2")

    llama3 = Tokenizer(models.BPE(ignore_merges=True))
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    llama3.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    llama3.decoder = decoders.ByteLevel()
    added = [AddedToken("word", single_word=True), AddedToken("<l>", lstrip=True), AddedToken("<r>", rstrip=True), AddedToken("燕子", normalized=False)]
    yield train(llama3, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False), "bpe-llama3", added)

    deepseek = Tokenizer(models.BPE())
    deepseek.normalizer = normalizers.NFC()
    deepseek.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
            pre_tokenizers.Split(Regex(r"[一-龥぀-ゟ゠-ヿ]+"), "isolated"),
            pre_tokenizers.Split(Regex(r"[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )  # fmt: skip
    deepseek.decoder = decoders.ByteLevel()
    yield train(deepseek, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False), "bpe-split")

    llama = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    llama.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    llama.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    yield train(llama, trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>"] + bytes_, show_progress=False), "bpe-llama")

    metaspace = Tokenizer(models.BPE(unk_token="<unk>"))
    metaspace.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])
    metaspace.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True)])
    metaspace.decoder = decoders.Metaspace()
    yield train(metaspace, trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>"], limit_alphabet=150, show_progress=False), "bpe-metaspace")

    wordpiece = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece()
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    yield train(bert, trainers.WordPieceTrainer(vocab_size=500, special_tokens=wordpiece, show_progress=False), "wordpiece-bert")

    plain = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    plain.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    plain.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_previous")])
    plain.decoder = decoders.WordPiece()
    yield train(plain, trainers.WordPieceTrainer(vocab_size=400, special_tokens=wordpiece, show_progress=False), "wordpiece-plain")


def pieces(name, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()), model_writer=model, hard_vocab_limit=False, num_threads=1, minloglevel=2, **options
    )
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return name, sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def entry(name, tokenizer, texts):
    if isinstance(tokenizer, sentencepiece.SentencePieceProcessor):
        ids = [tokenizer.encode(text) for text in texts]
        framed, decoded = ids, [tokenizer.decode(line) for line in ids]
    else:
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        framed = [tokenizer.encode(text).ids for text in texts]
        decoded = [tokenizer.decode(line, skip_special_tokens=True) for line in ids]
    return {"name": name, "ids": ids, "framed": framed[8], "decoded": decoded}


def main(data):
    cases = [case.encode("utf-8") for case in CASES] + INVALID
    texts = [case.decode("utf-8", "replace") for case in cases]
    # SentencePiece's C++ side takes a NUL as any other character; so do we.
    small = list(trained())
    small.append(pieces("sp-unigram", model_type="unigram", vocab_size=420, character_coverage=0.98))
    small.append(pieces("sp-bpe", model_type="bpe", vocab_size=800, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False))
    real = [
        ("bert-base-chinese", tokenizers.BertWordPieceTokenizer(str(data / "bert-base-chinese/vocab.txt"))),
        ("gpt-neox", Tokenizer.from_file(str(data / "gpt-neox/tokenizer.json"))),
        ("chinese-llama-sp", sentencepiece.SentencePieceProcessor(model_file=str(data / "chinese-llama-sp/tokenizer.model"))),
        ("llama2", sentencepiece.SentencePieceProcessor(model_file=str(data / "llama2/tokenizer.model"))),
    ]
    golden = {
        "made_with": {module.__name__: module.__version__ for module in (tokenizers, sentencepiece, transformers)},
        "cases": [case.hex() for case in cases],
        "small": [entry(name, tokenizer, texts) for name, tokenizer in small],
        "real": [entry(name, tokenizer, texts) for name, tokenizer in real],
    }
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) / "tokenizers")
