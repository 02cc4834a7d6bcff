#!/bin/sh
# lint.sh FILE.c...: cppcheck over all, clang-tidy over each. Any finding fails.
set -eu
jobs=$(nproc)
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
    --suppress=nullPointerArithmeticRedundantCheck -j "$jobs" -I. -D_GNU_SOURCE '-DPORTCULLIS_VERSION="0"' "$@"
printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh -c '
    clang-tidy --quiet "$@" -- -std=c11 -I. -D_GNU_SOURCE "-DPORTCULLIS_VERSION=\"0\"" 2>/dev/null
' lint
echo 'lint: nothing found'
