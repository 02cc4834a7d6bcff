#!/bin/sh
# run.sh BUILD: spin looks through every course of the model; each mutant of it must break the property that is there for it.
# run.sh BUILD courses: prints each step that the model takes: of an exchange the state before, from, to; of an approval from, to.
set -eu
out=$1/model
root=$PWD
mkdir -p "$out"

# All of it, with printing while it looks.
if [ "${2:-}" = courses ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    sed "s#\"proxy/#\"$root/proxy/#" tests/model/exchange.pml >"$work/model.pml"
    cd "$work"
    spin -a -DCOURSES -DCLIENTS=1 -DFAILURES=5 model.pml >log && cc -O1 -DSAFETY -DNOCLAIM -DPRINTF -o pan pan.c || { cat log; exit 1; }
    ./pan -m200000 >log
    grep -q 'errors: 0' log || { cat log; exit 1; }
    sed -n 's/.*\(course\|approval\) /\1 /p' log | sed 's/EXCHANGE_//g; s/APPROVAL_//g' | sort -u
    exit
fi

# Verifies the model, with a mutant where one is named: no assertion fails, nothing is stuck, what may pass does. The log says what failed.
verify() {
    rm -rf "$out/run" && mkdir "$out/run"
    sed "s#\"proxy/#\"$root/proxy/#" tests/model/exchange.pml >"$out/run/model.pml"
    (
        cd "$out/run"
        spin -a ${1:+-DMUTANT -D$1} model.pml && cc -O2 -DSAFETY -DNOCLAIM -o pan-safe pan.c && cc -O2 -DNFAIR=4 -o pan-live pan.c
        ./pan-safe -m200000 && ./pan-live -a -f -m200000 -N made
    ) >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
    if grep -q 'max search depth too small' "$out/log"; then
        echo 'model: not all of it was looked through' >&2
        exit 1
    fi
    ! grep -q 'errors: [1-9]' "$out/log" && [ "$(grep -c 'errors: 0' "$out/log")" = 2 ]
}

verify || { cat "$out/log"; exit 1; }
cp "$out/log" "$out/holds"

while read -r mutant property; do
    if verify "$mutant"; then
        echo "model: the mutant $mutant was not found" >&2
        exit 1
    fi
    grep -q "$property" "$out/log" || { echo "model: $mutant did not break '$property'" >&2; cat "$out/log"; exit 1; }
done <<'EOF'
NO_RESERVATION assertion violated (sent<=1)
NO_DIGEST assertion violated (seen==bound_disk)
SENT_TOO_EARLY assertion violated intent
GIVEN_BACK_THOUGH_SENT assertion violated (sent<=1)
FORGOTTEN_AT_RESTART assertion violated (sent<=1)
NEVER_GIVEN_BACK acceptance cycle
NOT_FORGOTTEN assertion violated .*approval==
EOF
echo 'model: holds, and its mutants do not'
