#!/usr/bin/env bash
# Yuyan and its peers side by side: `Benchmarks/run.sh path/to/yuyan [train|generate|tokenize|pack|clean|deduplicate]...`. Prints tables of ratios. The last four
# need the public data sets that YUYAN_TEST_DATA names, and are left out without it.
set -euo pipefail
binary=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
options=() parts=()
while [ $# -gt 0 ]; do
    case $1 in
    --*) options+=("$1" "$2"); shift ;;
    *) parts+=("$1") ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(train generate tokenize pack clean deduplicate)

models=() data=()
for part in "${parts[@]}"; do
    case $part in clean | deduplicate) data+=("$part") ;; *) models+=("$part") ;; esac
done
if [ ${#models[@]} -gt 0 ]; then
    Scripts/peers.sh
    .parity/bin/python Benchmarks/compare.py --yuyan "$binary" ${options[@]+"${options[@]}"} "${models[@]}"
fi
[ -n "${YUYAN_TEST_DATA:-}" ] || exit 0
for part in ${data[@]+"${data[@]}"}; do
    Scripts/peers.sh data
    echo
    .parity-data/bin/python "Benchmarks/$part.py" --yuyan "$binary"
done
