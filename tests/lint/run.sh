#!/bin/sh
# run.sh FILE.c...: cppcheck over all, clang-tidy over each. Any finding fails.
set -eu
jobs=$(nproc)
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr -j "$jobs" \
    --include=tests/lint/macros.h -I. -D_GNU_SOURCE '-DPORTCULLIS_VERSION="0"' "$@"
printf '%s\n' "$@" | xargs -P "$jobs" -n 4 sh -c '
    clang-tidy --quiet "$@" -- -std=c11 -I. -D_GNU_SOURCE "-DPORTCULLIS_VERSION=\"0\"" 2>/dev/null
' lint
echo 'lint: nothing found'
