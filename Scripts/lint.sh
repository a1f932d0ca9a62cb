#!/usr/bin/env bash
# The format is right, and all sources build without a warning of ours.
set -euo pipefail
cd "$(dirname "$0")/.."

swift format lint --strict --parallel --recursive Sources Tests Package.swift

mkdir -p .build
log=.build/lint.log
swift build --build-tests "$@" 2>&1 | tee "$log"
# Warnings are printed only when a file is compiled: touch the files that have some, so that they show again until they are gone.
# The package manager's own remarks (a file that belongs to no target) name the package by its folder.
package=$(basename "$PWD" | tr '[:upper:]' '[:lower:]')
warnings=$(grep -E "^($PWD/(Sources|Tests)/[^:]+:[0-9]+:[0-9]+: warning:|warning: '$package')" "$log" | sort -u || true)
if [ -n "$warnings" ]; then
    echo "$warnings" | { grep "^$PWD" || true; } | cut -d: -f1 | sort -u | xargs -r touch
    echo "lint: $(echo "$warnings" | wc -l) warnings" >&2
    exit 1
fi
