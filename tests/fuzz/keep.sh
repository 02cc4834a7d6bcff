#!/bin/sh
# keep.sh TARGET...: makes tests/fuzz/corpus/TARGET a few inputs that together reach every edge of the program that any input reached, of
# those there and those that run.sh found.
set -eu
for target; do
    corpus=tests/fuzz/corpus/$target
    found=$BUILD/fuzz/found/$target
    merged=$BUILD/fuzz/merged/$target
    rm -rf "$merged"
    mkdir -p "$merged" "$corpus" "$found"
    "$BUILD/fuzz/$target" -set_cover_merge=1 -use_counters=0 "$merged" "$corpus" "$found" >"$BUILD/fuzz/$target.merge.log" 2>&1
    rm -rf "$corpus"
    cp -r "$merged" "$corpus"
    printf '  KEEP %s: %d files\n' "$corpus" "$(find "$corpus" -type f | wc -l)"
done
