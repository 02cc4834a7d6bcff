#!/bin/sh
# run.sh PROGRAM...: runs every unit program from the project's root, to the end even when one fails, and names those that broke. Of a
# program that passes only the summary is shown, of one that breaks everything.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
broken=
count=0
for program in "$@"; do
    count=$((count + 1))
    if "$program" >"$log" 2>&1; then
        echo "$program"
        grep -E '^\[(==========\] .* run\.|  PASSED|  SKIPPED)' "$log"
    else
        echo "$program: status $?"
        cat "$log"
        broken="$broken $program"
    fi
done
if [ -n "$broken" ]; then
    echo "unit programs: $count run, broken:" >&2
    printf '  %s\n' $broken >&2
    exit 1
fi
echo "unit programs: $count run, none broken"
[ "$count" -gt 0 ]
