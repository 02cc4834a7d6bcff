#!/bin/sh
# run.sh PROGRAM...: runs every unit program from the project's root, one a core at a time, to the end even when one fails, and names those
# that broke. Of a program that passes only the summary is shown, of one that breaks everything.
set -u
logs=$(mktemp -d)
export logs
trap 'rm -rf "$logs"' EXIT
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 sh -c 'log=$logs/$(echo "$1" | tr / .); "$1" >"$log" 2>&1; echo $? >"$log.status"' run
broken=
count=0
for program in "$@"; do
    count=$((count + 1))
    log=$logs/$(echo "$program" | tr / .)
    status=$(cat "$log.status")
    if [ "$status" = 0 ]; then
        echo "$program"
        grep -E '^\[(==========\] .* run\.|  PASSED|  SKIPPED)' "$log"
    else
        echo "$program: status $status"
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
