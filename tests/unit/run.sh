#!/bin/sh
# run.sh PROGRAM...: runs every unit program from the project's root, to the end even when one fails, and names those that broke.
set -u
broken=
count=0
for program in "$@"; do
    count=$((count + 1))
    "$program" || broken="$broken $program"
done
if [ -n "$broken" ]; then
    echo "unit programs: $count run, broken:" >&2
    printf '  %s\n' $broken >&2
    exit 1
fi
echo "unit programs: $count run, none broken"
[ "$count" -gt 0 ]
