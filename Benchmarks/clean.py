"""Cleans the same texts with Yuyan, data-juicer and datatrove, and prints a Markdown table.

    YUYAN_TEST_DATA=… .parity-data/bin/python Benchmarks/clean.py --yuyan path/to/yuyan [--repeat N]

Needs what `Scripts/peers.sh data` installs. The texts are essays, a weekly, poems, customers' comments and judgments of the public data sets,
as JSON Lines. Every side reads the file, mends and measures each text, and writes what it keeps; the steps are those that the peer has an equivalent of:

| | Yuyan | data-juicer | datatrove |
| --- | --- | --- | --- |
| broken characters | control, normalize | fix_unicode | FTFY |
| traditional to simplified | simplify | chinese_convert (OpenCC) | none |
| addresses of the web, mail, IP | links, privacy (email, ip) | clean_links, clean_email, clean_ip | PII (mail, IP) |
| white space | whitespace | whitespace_normalization | none |
| statistics and bounds | all 40 statistics, bounds on 5 to 17 | length, alphanumeric, line lengths, special characters, repetition | Gopher repetition, Gopher quality, FineWeb quality |

datatrove cuts Chinese into words by spaCy; here it is given single characters, which costs it nothing. Figures are megabytes of input for each second of
processor time of all processes, without the start of the programs: the time for a single text is taken off. "all steps" is Yuyan with everything that
`recipes/clean-chinese.yaml` does up to the filter: boilerplate, Markdown, all kinds of private data, and an n-gram model trained on the same text.
"""

import argparse
import glob
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

JUICER = """
project_name: bench
dataset_path: {input}
export_path: {output}/kept.jsonl
np: 1
use_cache: false
open_tracer: false
process:
  - fix_unicode_mapper:
  - chinese_convert_mapper: {{mode: t2s}}
  - clean_links_mapper:
  - clean_email_mapper:
  - clean_ip_mapper:
  - whitespace_normalization_mapper:
  - text_length_filter: {{min_len: 10}}
  - alphanumeric_filter: {{tokenization: false, min_ratio: 0.1}}
  - average_line_length_filter: {{min_len: 4}}
  - maximum_line_length_filter: {{min_len: 4}}
  - special_characters_filter: {{min_ratio: 0.0, max_ratio: 0.4}}
  - character_repetition_filter: {{rep_len: 10, min_ratio: 0.0, max_ratio: 0.5}}
"""

FILTER = """
  - name: filter
    task: filter
    data: ${clean}
    preset: web
    bounds: {characters: {minimum: 10}, mean_line_length: {minimum: 4}}
"""

EQUIVALENT = """
name: equivalent
stages:
  - name: clean
    task: clean
    files: ["%s"]
    control: {}
    normalize: {form: nfc}
    simplify: {from: t2s}
    links: {}
    whitespace: {}
    privacy: {kinds: [email, ip]}
""" + FILTER

ALL = """
name: all
stages:
  - name: ngram
    task: ngram
    files: ["%s"]
    minimum_counts: [1, 1, 2]
  - name: clean
    task: clean
    files: ["%s"]
    control: {}
    normalize: {form: nfc}
    simplify: {from: t2s}
    html: {markdown: true}
    links: {}
    whitespace: {}
    lines: {}
    privacy: {}
    perplexity: ${ngram}
""" + FILTER


def texts(data):
    for file in sorted(glob.glob(f"{data}/text/luxun/*.txt")):
        text = open(file, encoding="utf-8", errors="replace").read()
        yield from (text[place : place + 2000] for place in range(0, len(text), 2000))
    for file in sorted(glob.glob(f"{data}/text/weekly/*.md")):
        yield open(file, encoding="utf-8").read()
    for file in sorted(glob.glob(f"{data}/text/poetry/*.jsonl")):
        yield from (json.loads(line)["text"] for line in open(file, encoding="utf-8"))
    for name in ["ecommerce_comments", "pt"]:
        yield from (line.strip() for line in open(f"{data}/noisy/{name}.txt", encoding="utf-8"))


def datatrove(file, folder):
    """Runs in a process of its own."""
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.filters import fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
    from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    def characters(text, language):
        return [character for character in text if not character.isspace()]

    for module in [fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter]:
        module.split_into_words = characters
    stop = ["的", "了", "是", "不", "在", "有", "我", "他", "这", "人"]
    steps = [
        JsonlReader(os.path.dirname(file), glob_pattern=os.path.basename(file)), FTFYFormatter(), PIIFormatter(),
        GopherRepetitionFilter(), GopherQualityFilter(min_doc_words=10, min_avg_word_length=1, max_non_alpha_words_ratio=0.3, stop_words=stop),
        FineWebQualityFilter(short_line_length=4), JsonlWriter(f"{folder}/kept", compression=None),
    ]
    stream = None
    for step in steps:
        stream = step.run(stream, rank=0, world_size=1)
    for _ in stream or []:
        pass


if len(sys.argv) == 4 and sys.argv[1] == "--datatrove":
    datatrove(sys.argv[2], sys.argv[3])
    sys.exit()


def measured(command, folder):
    """Seconds of processor time of a command with all its children, seconds by the clock, and the memory that was resident at most, summed over processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    quiet = dict(os.environ, LOGURU_LEVEL="ERROR", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=quiet, cwd=folder)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.05)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read()[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "clock": time.monotonic() - start, "peak": peak}


def resident(pid):
    total = 0
    try:
        total += int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) / 1024
        for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
            total += resident(int(child))
    except (OSError, AttributeError):
        pass
    return total


def side(name, file, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if name == "data-juicer":
        config = f"{folder}/config.yaml"
        open(config, "w").write(JUICER.format(input=file, output=folder))
        return [sys.executable, os.path.join(os.path.dirname(sys.executable), "dj-process"), "--config", config]
    if name == "datatrove":
        return [sys.executable, os.path.abspath(__file__), "--datatrove", file, folder]
    recipe = f"{folder}/recipe.yaml"
    text = ALL % (file, file) if name == "Yuyan, all steps" else EQUIVALENT % file
    open(recipe, "w").write(text)
    return [os.path.abspath(arguments.yuyan), "run", recipe]


def kept(name, folder):
    if name.startswith("Yuyan"):
        return json.load(open(glob.glob(f"{folder}/runs/*/filter/report.json")[0]))["kept"]["records"]
    files = glob.glob(f"{folder}/kept.jsonl") + glob.glob(f"{folder}/kept/*.jsonl")
    return sum(1 for file in files for _ in open(file, encoding="utf-8"))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--yuyan", required=True)
parser.add_argument("--rounds", type=int, default=1)
parser.add_argument("--repeat", type=int, default=0, help="instead: Yuyan alone on the texts N times over, for its memory")
arguments = parser.parse_args()
data = os.environ.get("YUYAN_TEST_DATA") or sys.exit("YUYAN_TEST_DATA names the folder of public data sets; it is not set")

with tempfile.TemporaryDirectory() as folder:
    file, one = f"{folder}/texts.jsonl", f"{folder}/one.jsonl"
    records = 0
    with open(file, "w", encoding="utf-8") as lines:
        for number in range(max(1, arguments.repeat)):
            for text in texts(data):
                # Repeated texts differ in their first characters, so that no step can know them again.
                text = f"第{number}遍。{text}" if arguments.repeat else text
                lines.write(json.dumps({"id": f"{records:08}", "text": text}, ensure_ascii=False) + "\n")
                records += 1
    open(one, "w", encoding="utf-8").write('{"id": "1", "text": "雨燕是飞得最快的鸟，它们在天空中睡觉，一生几乎都不落地。"}\n')
    size = os.path.getsize(file) / 1e6
    names = ["Yuyan", "Yuyan, all steps"] if arguments.repeat else ["Yuyan", "Yuyan, all steps", "data-juicer", "datatrove"]
    starts = {name: measured(side(name, one, f"{folder}/start"), f"{folder}/start")["seconds"] for name in names}
    runs = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            runs[name].append(measured(side(name, file, f"{folder}/{name}"), f"{folder}/{name}"))
    speeds = {name: size / (min(run["seconds"] for run in runs[name]) - starts[name]) for name in names}
    print(f"{records} texts, {size:.1f} MB\n")
    print("| | MB/s per core | Yuyan is | seconds by the clock | peak MB | kept |\n| --- | --- | --- | --- | --- | --- |")
    for name in names:
        ratio = "" if name.startswith("Yuyan") else f"{speeds['Yuyan'] / speeds[name]:.1f}×"
        clock, peak = min(run["clock"] for run in runs[name]), max(run["peak"] for run in runs[name])
        print(f"| {name} | {speeds[name]:.2f} | {ratio} | {clock:.1f} | {peak:.0f} | {kept(name, f'{folder}/{name}')} |")
