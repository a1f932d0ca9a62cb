#!/usr/bin/env bash
# Runs the kernels' tests under AddressSanitizer, compiled for each instruction set of this machine in turn. The first bad access ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

# Seen from a folder of its own: the package manager keeps there which versions it has chosen, and here it needs none.
package=.build/sanitize
mkdir -p "$package"
for name in Package.swift Sources Tests .torch; do ln -sfn "../../$name" "$package/$name"; done

# What libtorch and Swift's run-time keep until the end would be called leaks. A tensor that is too large is an error that is tested.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}

# Those of YY_CLONES. Kernels that choose their instructions themselves go through all of them each time.
sets=("")
if [ "$(uname -sm)" = "Linux x86_64" ]; then
    sets=(x86-64)
    ! grep -qw avx2 /proc/cpuinfo || sets+=(x86-64-v3)
    ! grep -qw avx512vl /proc/cpuinfo || sets+=(x86-64-v4)
fi
for set in "${sets[@]}"; do
    echo "sanitize: ${set:-the only instruction set}"
    YUYAN_SANITIZE=$set swift test --sanitize address --package-path "$package" --scratch-path "$package/.build/$set" "$@"
done
