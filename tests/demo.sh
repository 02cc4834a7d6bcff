#!/bin/bash
# demo.sh: what `make run` runs. Starts the sandbox and a gate before it, shows that a read passes, prints what to try, and stays until
# Ctrl-C. Without a terminal, or with RUN_ONCE=1, it takes the tour itself, checks what comes out, and ends.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
run=$build/run
here=$PWD
payments=11111111-2222-4333-8444-555555555555
research=22222222-3333-4444-8555-666666666666
pids=()

finish() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT
trap 'echo; echo "Stopping."; exit 0' INT TERM

fail() {
    echo "demo: $*" >&2
    tail -n 20 "$run"/*.log >&2 || true
    exit 1
}

# The port in a port file ({"listen":["127.0.0.1:41234"]}), once the process has written it; nothing when the process ended first.
port_of() {
    local file=$1 pid=$2 tries=0
    until [[ -s $file ]]; do
        kill -0 "$pid" 2>/dev/null || return 1
        ((++tries < 200)) || return 1
        sleep 0.05
    done
    sed 's/.*:\([0-9]*\)".*/\1/' "$file"
}

start_gate() {
    cat >"$run/portcullis.json" <<END
{
    "listen": ["127.0.0.1:$1"],
    "workers": 0,
    "upstream": {"url": "http://127.0.0.1:$sandbox_port"},
    "contract": "$here/conf/integrations.openapi.json",
    "policy": "$here/conf/policy.json",
    "audit": {"directory": "audit", "keys": "keys", "checkpoint_seconds": 1},
    "access_log": "access.log"
}
END
    rm -f "$run/gate.port"
    "$build/portcullis" serve -c "$run/portcullis.json" --port-file "$run/gate.port" >>"$run/gate.log" 2>&1 </dev/null &
    gate_pid=$!
    gate_port=$(port_of "$run/gate.port" "$gate_pid")
}

if [[ -d $run ]]; then rm -rf "$run"; fi
mkdir -p "$run"
"$build/portcullis-sandbox" --listen 127.0.0.1:0 --port-file "$run/sandbox.port" --ledger "$run/ledger.jsonl" >"$run/sandbox.log" 2>&1 </dev/null &
pids+=($!)
sandbox_port=$(port_of "$run/sandbox.port" "${pids[0]}") || fail 'the sandbox did not start'
# 8080 where it is free; any other where it is not.
start_gate 8080 || start_gate 0 || fail 'the gate did not start'
pids=("$gate_pid" "${pids[@]}")
gate=http://127.0.0.1:$gate_port
list=$gate/rest/orgs/$payments/integrations
forbidden=$list/aaaaaaaa-0001-4000-8000-000000000001
permitted=$gate/rest/orgs/$research/integrations/bbbbbbbb-0001-4000-8000-000000000001

# The tour: what a step shows, its command, and what must be in its output.
titles=() commands=() expectations=()
step() {
    titles+=("$1") commands+=("$2") expectations+=("$3")
}
step 'A read passes:' \
    "curl -sS -H 'Authorization: Token demo-reader-token' '$list?version=2024-10-15&limit=10'" '"data":\['
step 'A delete that policy forbids is refused, with the reason (the sandbox never sees it):' \
    "curl -sS -i -X DELETE -H 'Authorization: Token demo-deployer-token' '$forbidden?version=2024-10-15'" ' 403 .*org\.integration\.delete'
step 'The same without a network: which gate decided, what was asked, what is missing:' \
    "$build/portcullis explain -c $run/portcullis.json DELETE '${forbidden#"$gate"}?version=2024-10-15' --principal deployer" \
    'refused: 403'
step 'A delete that policy permits, in another organisation, is forwarded:' \
    "curl -sS -i -X DELETE -H 'Authorization: Token demo-deployer-token' '$permitted?version=2024-10-15'" ' 204 '
step 'The journal: the refusal, then the intent that was on disk before the delete went out, and its outcome:' \
    "grep -h deleteIntegration $run/audit/*.jsonl" '"refused".*"intent".*"outcome"'
step 'What the API saw: the read, what the gate asked before the delete, the one delete:' \
    "cat $run/ledger.jsonl" '"GET".*"DELETE"'

# Runs a step's command as it is printed, shows what comes out, and checks it.
take() {
    local output
    printf '\n%s\n  $ %s\n' "${titles[$1]}" "${commands[$1]}"
    output=$(eval "${commands[$1]}" 2>&1) || true # explain answers a refusal with status 1
    printf '%s\n' "$output" | sed 's/^/    /' | cut -c 1-600
    printf '%s' "$output" | tr '\r\n' '  ' | grep -Eq "${expectations[$1]}" || fail "this should have shown ${expectations[$1]}"
}

cat <<END

Portcullis stands at $gate before the sandbox, a stand-in for the API with made-up data.
  configuration  $run/portcullis.json
  policy         conf/policy.json (change it, then: kill -HUP $gate_pid)
  journal        $run/audit/
  access log     $run/access.log
END

take 0
if [[ -n ${RUN_ONCE:-} || ! -t 0 ]]; then
    for ((i = 1; i < ${#commands[@]}; i++)); do take "$i"; done
    printf '\nThat was the tour. `make run` in a terminal leaves it all standing, to be tried by hand.\n'
    exit 0
fi

printf '\nTo try in another terminal, in %s:\n' "$here"
for ((i = 1; i < ${#commands[@]}; i++)); do printf '\n%s\n  $ %s\n' "${titles[$i]}" "${commands[$i]}"; done
printf '\nCtrl-C ends it.\n'
wait "$gate_pid" || fail 'the gate ended by itself'
