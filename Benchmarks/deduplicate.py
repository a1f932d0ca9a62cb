"""Finds near duplicates with Yuyan, datasketch and datatrove on the same texts, and prints a Markdown table.

    YUYAN_TEST_DATA=… .parity-data/bin/python Benchmarks/deduplicate.py --yuyan path/to/yuyan

Needs what `Scripts/peers.sh data` installs. The texts are poems of anthologies that repeat each other, and customers' comments (text/poetry/*.jsonl and
noisy/ecommerce_comments.txt of the public data sets). Recall and precision are measured against the exact Jaccard similarity of all pairs: the truth are the
pairs that have 80 % of their shingles (5 characters of the text without punctuation and white space) in common. Recall is the share
of these pairs that come into one cluster, precision the share of dropped documents that are in such a pair. Speed is megabytes of text for each second
of processor time, reading and writing included and the start of the programs excluded. datatrove has no tokenizer for characters, so it is given the same
shingles as the others; its parameters are its own (14 × 8, which meets at 72 %), those of datasketch are chosen by it for 80 %.
"""

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata

SHINGLE, THRESHOLD = 5, 0.8

# What counts in a comparison, as a table for str.translate: no punctuation, no white space, half width, lower case.
DROPPED = {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zs", "Zl", "Zp", "Cc", "Cf", "Cn", "Co", "Cs", "Sk"}
TABLE = {}
for value in range(0x10000):
    half = chr(value - 0xFEE0) if 0xFF01 <= value <= 0xFF5E else chr(value)
    if unicodedata.category(half) in DROPPED or half in "~|" or 0xFE00 <= value <= 0xFE0F:
        TABLE[value] = None
    elif half.lower() != chr(value) and len(half.lower()) == 1:
        TABLE[value] = half.lower()


def shingles(text):
    text = text.translate(TABLE)
    return {text[place : place + SHINGLE] for place in range(len(text) - SHINGLE + 1)}


def documents(file):
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


class Sets:
    def __init__(self, count):
        self.parents = list(range(count))

    def find(self, one):
        while self.parents[one] != one:
            self.parents[one] = self.parents[self.parents[one]]
            one = self.parents[one]
        return one

    def union(self, one, other):
        one, other = sorted((self.find(one), self.find(other)))
        self.parents[other] = one


# --- the peers, each in a process of its own


def datasketch(file, folder):
    from datasketch import MinHash, MinHashLSH

    start = time.process_time()
    texts = documents(file)
    lsh, sets = MinHashLSH(threshold=THRESHOLD, num_perm=128), Sets(len(texts))
    seen = {}
    for number, text in enumerate(texts):
        grams = shingles(text)
        if not grams:  # too short for a shingle
            sets.union(number, seen.setdefault(text.translate(TABLE), number))
            continue
        signature = MinHash(num_perm=128)
        signature.update_batch([gram.encode() for gram in grams])
        for other in lsh.query(signature):
            sets.union(number, other)
        lsh.insert(number, signature)
    clusters = [sets.find(number) for number in range(len(texts))]
    with open(f"{folder}/kept.jsonl", "w", encoding="utf-8") as kept:
        for number, text in enumerate(texts):
            if clusters[number] == number:
                kept.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return clusters, time.process_time() - start


def datatrove(file, folder):
    import numpy
    from datatrove.pipeline.dedup import minhash
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    minhash.load_word_tokenizer = lambda language: None  # words are not asked for

    class Signature(minhash.MinhashDedupSignature):
        def get_shingles(self, text):
            grams = shingles(text)
            return numpy.fromiter([self._hash_func(gram.encode()) for gram in grams], dtype=numpy.uint64).reshape((-1, 1))

    start = time.process_time()
    config = minhash.MinhashConfig()

    def read():
        return JsonlReader(os.path.dirname(file), glob_pattern=os.path.basename(file)).run(rank=0, world_size=1)

    Signature(f"{folder}/signatures", config).run(read())
    buckets = minhash.MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)
    for rank in range(config.num_buckets):
        buckets.run(None, rank, config.num_buckets)
    minhash.MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config, save_cluster_id=True).run(None, 0, 1)
    dropped = JsonlWriter(f"{folder}/dropped", compression=None)
    step = minhash.MinhashDedupFilter(f"{folder}/removed", exclusion_writer=dropped, load_cluster_ids=True)
    with JsonlWriter(f"{folder}/kept", compression=None) as writer:
        for document in step.run(read(), 0, 1):
            writer.write(document)
    seconds = time.process_time() - start
    texts = documents(file)
    clusters, first = list(range(len(texts))), {}
    for place in ["kept", "dropped"]:
        for name in os.listdir(f"{folder}/{place}"):
            for line in open(f"{folder}/{place}/{name}", encoding="utf-8"):
                document = json.loads(line)
                cluster = document["metadata"].get("minhash_cluster_id", -1)
                if cluster >= 0:
                    number = int(document["id"].rsplit("/", 1)[-1])
                    clusters[number] = first.setdefault(cluster, number)
    return clusters, seconds



def truth(file, folder):
    """All pairs with a Jaccard similarity of the threshold or more, by an inverted index."""
    texts = documents(file)
    sets, holders, pairs = [shingles(text) for text in texts], {}, []
    whole = {}
    for number, grams in enumerate(sets):
        common = {}
        for gram in grams:
            for other in holders.setdefault(gram, []):
                common[other] = common.get(other, 0) + 1
            holders[gram].append(number)
        pairs += [(other, number) for other, n in common.items() if n >= THRESHOLD * (len(grams) + len(sets[other]) - n)]
        if not grams:
            other = whole.setdefault(texts[number].translate(TABLE), number)
            if other != number:
                pairs.append((other, number))
    return pairs, 0


if len(sys.argv) == 5 and sys.argv[1] == "--worker":
    result, seconds = {"datasketch": datasketch, "datatrove": datatrove, "truth": truth}[sys.argv[2]](sys.argv[3], sys.argv[4])
    print(json.dumps({"result": result, "seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    sys.exit()

# --- both sides. What needs memory runs in a process of its own: a process begins with the peak of the one that started it.


def peer(name, file, folder):
    quiet = dict(os.environ, LOGURU_LEVEL="ERROR", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    done = subprocess.run([sys.executable, __file__, "--worker", name, file, folder], capture_output=True, text=True, env=quiet)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def start(folder):
    """Seconds of processor time that Yuyan takes for a single text."""
    file = f"{folder}/one.jsonl"
    with open(file, "w", encoding="utf-8") as lines:
        lines.write('{"id": "1", "text": "雨燕"}\n')
    seconds = []
    for number in range(3):
        seconds.append(yuyan(file, f"{folder}/start-{number}")["seconds"])
    return min(seconds)


def records(folder):
    import zstandard

    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", "rb") as file:
            if name.endswith(".zst"):
                file = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            yield from map(json.loads, io.TextIOWrapper(file, encoding="utf-8"))


def yuyan(file, folder):
    output = f"{folder}/out"
    process = subprocess.Popen([arguments.yuyan, "data", "dedup", "--level", "near", "--output", output, file], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("yuyan failed")
    ids = [json.loads(line)["id"] for line in open(file, encoding="utf-8")]
    places = {id: number for number, id in enumerate(ids)}
    # A reader that names records by their line is understood too.
    places |= {f"{os.path.basename(file)}:{number + 1}": number for number in range(len(ids))}
    clusters = list(range(len(ids)))
    for line in records(f"{output}/dropped"):
        clusters[places[line["record"]["id"]]] = places[line["value"].split(" ")[0]]
    return {"result": clusters, "seconds": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def quality(clusters, pairs):
    copies = {number for pair in pairs for number in pair}
    representatives = {}
    for number, cluster in enumerate(clusters):
        representatives.setdefault(cluster, []).append(number)
    dropped = [number for members in representatives.values() for number in members[1:]]
    met = sum(clusters[one] == clusters[other] for one, other in pairs)
    # Of a cluster any one may stay: a dropped document is right where it has a copy.
    right = sum(number in copies for number in dropped)
    return met / max(1, len(pairs)), right / max(1, len(dropped))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--yuyan", required=True)
parser.add_argument("--rounds", type=int, default=2)
arguments = parser.parse_args()
data = os.environ.get("YUYAN_TEST_DATA") or sys.exit("YUYAN_TEST_DATA names the folder of public data sets; it is not set")

poems = []
for name in ["anthologies", "ci", "tang"]:
    poems += documents(f"{data}/text/poetry/{name}.jsonl")
comments = open(f"{data}/noisy/ecommerce_comments.txt", encoding="utf-8").read().splitlines()
corpora = {"poems": poems, "comments": comments}

print("| texts | | MB/s per core | ratio | recall | precision | dropped | peak MB |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
for corpus, texts in corpora.items():
    texts = [text for text in texts if text.strip()]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/texts.jsonl"
        with open(file, "w", encoding="utf-8") as lines:
            for number, text in enumerate(texts):
                lines.write(json.dumps({"id": f"{number:08}", "text": text}, ensure_ascii=False) + "\n")
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        idle = start(folder)
        runs = {"Yuyan": [], "datasketch": [], "datatrove": []}
        for _ in range(arguments.rounds):
            for name in runs:
                place = f"{folder}/{name}"
                shutil.rmtree(place, ignore_errors=True)
                os.makedirs(place)
                runs[name].append(yuyan(file, place) if name == "Yuyan" else peer(name, file, place))
        pairs = peer("truth", file, folder)["result"]
        for run in runs["Yuyan"]:
            run["seconds"] -= idle
        ours = min(run["seconds"] for run in runs["Yuyan"])
        for name, results in runs.items():
            seconds = min(run["seconds"] for run in results)
            recall, precision = quality(results[0]["result"], pairs)
            dropped = len(texts) - len(set(results[0]["result"]))
            ratio = "" if name == "Yuyan" else f"{seconds / ours:.1f}×"
            print(
                f"| {len(texts)} {corpus}, {megabytes:.1f} MB, {len(pairs)} pairs | {name} | {megabytes / seconds:.2f} | {ratio} | {recall:.3f} | {precision:.3f} "
                f"| {dropped} | {max(run['peak'] for run in results):.0f} |",
                flush=True,
            )
