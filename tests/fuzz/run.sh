#!/bin/sh
# run.sh TARGET...: runs each fuzz target for FUZZ_SECONDS, beginning with its corpus and with files of the tests and samples that are
# such inputs. What is found new lies in BUILD/fuzz/found/TARGET; an input that breaks something in BUILD/fuzz/broken, and it fails.
# FUZZ_SEED makes all choices the same again.
set -eu
here=tests/fuzz

# Files of the tree that are inputs of a target.
seeds_of() {
    case $1 in
    wire | decide) echo tests/wire ;;
    policy) echo conf/policy.json tests/tables/decisions.policy.json tests/tables/decisions_loose_versions.policy.json ;;
    contract) echo conf/integrations.openapi.json ;;
    config) echo conf/portcullis.json ;;
    esac
}

# Longest input: what the grammar's bounds and the depth of the matter ask for.
length_of() {
    case $1 in
    contract) echo 65536 ;;
    policy | journal) echo 12288 ;;
    target | scan) echo 1024 ;;
    *) echo 4096 ;;
    esac
}

for target; do
    found=$BUILD/fuzz/found/$target seeds=$BUILD/fuzz/seeds/$target
    rm -rf "$seeds"
    mkdir -p "$found" "$seeds" "$BUILD/fuzz/broken"
    for seed in $(seeds_of "$target"); do
        cp -r "$seed" "$seeds"
    done
    corpus=
    [ -d "$here/corpus/$target" ] && corpus=$here/corpus/$target
    dictionary=
    [ -f "$here/$target.dict" ] && dictionary=-dict=$here/$target.dict
    log=$BUILD/fuzz/$target.log
    printf '  FUZZ %s ' "$target"
    # shellcheck disable=SC2086 # words that may be missing
    if ! "$BUILD/fuzz/$target" -max_total_time="$FUZZ_SECONDS" -seed="${FUZZ_SEED:-0}" -timeout=20 -rss_limit_mb=2048 \
        -max_len="$(length_of "$target")" -artifact_prefix="$BUILD/fuzz/broken/$target-" -print_final_stats=1 $dictionary \
        "$found" $corpus "$seeds" >"$log" 2>&1; then
        printf 'broke: see %s\n' "$log"
        grep -E 'does not hold|ERROR|SUMMARY|Test unit written' "$log" | head -n 10
        exit 1
    fi
    sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 runs in \2 s, /p' "$log" | tr -d '\n'
    grep -o 'cov: [0-9]*' "$log" | tail -n 1
done
