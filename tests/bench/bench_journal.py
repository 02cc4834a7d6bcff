"""What the journal costs: durable mutations through the gate, beside the bare disk; verifying, asking and judging again, beside sha256sum,
grep and a bare parse with jansson; opening.

    bench_journal.py [--quick] [--records N] [--seconds N]

Rates depend on the disk, so each is given as a ratio to what the disk alone did in the same round: a loop that writes one line and calls
fdatasync, and one that writes as many lines at a time as the journal's group had. PORTCULLIS_BUILD says which build is measured; the figures
go to `journal` in bench.json in it.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import contestants  # noqa: E402
import grants  # noqa: E402
import load  # noqa: E402
import measure  # noqa: E402
import results  # noqa: E402
from cheap_upstream import Upstream  # noqa: E402

BUILD = contestants.ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
DRIVER = BUILD / "bench" / "journal"
CLIENTS = (1, 8, 64, 256)
NEEDLE = "00000000-0000-4000-8000-000000000007"  # in two records of those that the driver writes


def arguments():
    parser = argparse.ArgumentParser(description="Measures the journal beside the bare disk.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--records", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    options.records = options.records or (200_000 if options.quick else 10_000_000)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 4)
    return options


def drive(*words):
    ran = subprocess.run([str(word) for word in (DRIVER, *words)], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"bench: the journal's driver failed: {ran.stderr}")
    return json.loads(ran.stdout)


# ---- durable mutations ----

def journal_counts(port):
    """Records and times that they were made durable, as the gate's metrics say."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    page = dict(line.split(" ") for line in connection.getresponse().read().decode().splitlines() if line and line[0] != "#")
    connection.close()
    return float(page["portcullis_journal_group_records_sum"]), float(page["portcullis_journal_group_records_count"])


def through_the_gate(directory, world, upstream, clients, seconds):
    """Mutations a second, each with its intent and its outcome on disk before the answer; and the size of the groups."""
    admin = contestants.free_port()
    gate = contestants.Portcullis(BUILD)
    requests = directory / "mutations.lua"
    load.write_requests(requests, world.load(mutations=1.0))
    gate.start(directory / "gate", contestants.Setting(
        world=world, upstream=upstream.port, plain_upstream=upstream.port, connections=clients, cores=str(measure.CONTESTANT_CORE),
        extra={"admin": {"listen": f"127.0.0.1:{admin}"}}))
    try:
        load.run(gate.port, requests, clients, measure.WARM_UP, measure.LOAD_CORE)
        records, syncs = journal_counts(admin)
        loaded = load.run(gate.port, requests, clients, seconds, measure.LOAD_CORE)
        records_after, syncs_after = journal_counts(admin)
    finally:
        gate.stop()
    if loaded["refused"] or loaded["broken"]:
        sys.exit(f"bench: mutations failed: {loaded}")
    stages = gate.stages()
    if stages.get("intent") != stages.get("outcome") or stages["outcome"] < loaded["requests"]:
        sys.exit(f"bench: not every mutation is in the journal: {stages}, {loaded}")
    line = sum(path.stat().st_size for path in (gate.directory / "audit").glob("*.jsonl")) / sum(stages.values())
    shutil.rmtree(gate.directory)
    return {"mutations_per_second": loaded["requests"] / loaded["seconds"], "p50_us": loaded["p50_us"], "p99_us": loaded["p99_us"],
            "group": (records_after - records) / max(1, syncs_after - syncs), "line_bytes": line}


def one_round(directory, world, upstream, clients, seconds):
    gate = through_the_gate(directory, world, upstream, clients, seconds)
    alone = drive("append", directory / "journal", directory / "keys", clients, seconds)
    one_line = drive("sync", directory / "file", round(gate["line_bytes"]), seconds)
    group = drive("sync", directory / "file", round(gate["line_bytes"] * gate["group"]), seconds)
    for name in ("journal", "keys"):
        shutil.rmtree(directory / name)
    (directory / "file").unlink()
    records = gate["mutations_per_second"] * 2
    return {**gate, "appends_per_second": alone["records"] / alone["seconds"], "append_p99_us": alone["p99_us"],
            "append_group": alone["records"] / alone["syncs"],
            "bare_syncs_per_second": one_line["syncs"] / one_line["seconds"], "bare_p99_us": one_line["p99_us"],
            "mutations_by_bare_sync": gate["mutations_per_second"] * one_line["seconds"] / one_line["syncs"],
            "records_by_bare_group": records * group["seconds"] / (group["syncs"] * gate["group"])}


def durable_mutations(directory, options):
    world = grants.World()
    upstream = Upstream(BUILD, 600, measure.LOAD_CORE)
    found = []
    try:
        for clients in CLIENTS:
            rounds = [one_round(directory, world, upstream, clients, options.seconds) for _ in range(options.rounds)]
            found.append({"clients": clients, **{name: statistics.median(one[name] for one in rounds) for name in rounds[0]},
                          "spread": results.spread([one["mutations_by_bare_sync"] for one in rounds])})
            print(f"journal, {clients} clients: {found[-1]['mutations_per_second']:.0f} mutations/s", flush=True)
    finally:
        upstream.stop()
    return found


def durable_table(found):
    header = ("clients", "mutations/s", "p50 ms", "p99 ms", "records a sync", "× one-line fdatasync loop", "records × loop of that group",
              "journal alone: records/s", "its p99 ms", "bare loop: p99 ms")
    rows = [(one["clients"], f"{one['mutations_per_second']:.0f}", f"{one['p50_us'] / 1000:.2f}", f"{one['p99_us'] / 1000:.2f}",
             f"{one['group']:.1f}", results.ranged(one["mutations_by_bare_sync"], one["spread"]), f"{one['records_by_bare_group']:.2f}",
             f"{one['appends_per_second']:.0f}", f"{one['append_p99_us'] / 1000:.2f}", f"{one['bare_p99_us'] / 1000:.2f}") for one in found]
    return "\n".join(results.lines_of(header, rows))


# ---- reading ----

# What the driver's records were passed by.
REPLAY_POLICY = {
    "api_versions": {"oldest": "2024-10-15", "newest": None, "stability": ["ga"], "calendar": True},
    "principals": {"p123": {"tokens": ["sha256:" + "0" * 64]}},
    "roles": {"editor": ["org.integration.read", "org.integration.edit"]},
    "organizations": {"11111111-2222-4333-8444-555555555555": {"grants": [{"principal": "p123", "roles": ["editor"]}]}},
}


def seconds_of(*words, status=(0,)):
    began = time.monotonic()
    ran = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if ran.returncode not in status:
        sys.exit(f"bench: {words[0]} failed: {ran.stderr.decode()[-2000:]}")
    return time.monotonic() - began, ran.stdout


def read_the_journal(directory, options):
    """A large journal: filled, opened, verified, asked."""
    journal, keys = directory / "large", directory / "large-keys"
    filled = drive("fill", journal, keys, options.records)
    opened = [drive("open", journal, keys) for _ in range(3)]
    segments = sorted(journal.glob("*.jsonl"))
    size = sum(path.stat().st_size for path in segments)
    gate = BUILD / "portcullis"
    policy = directory / "replay.json"
    policy.write_text(json.dumps(REPLAY_POLICY))
    replay = (gate, "replay", "--policy", policy, "--contract", contestants.ROOT / "conf" / "integrations.openapi.json", "--summary", "--json", journal)
    pairs = {"verify": [], "query": [], "replay": []}
    for _ in range(options.rounds):
        hashed, _ = seconds_of("sha256sum", *segments)
        verified, _ = seconds_of(gate, "audit", "verify", journal)
        grepped, lines = seconds_of("grep", "-h", "-F", NEEDLE, *segments)
        asked, answer = seconds_of(gate, "audit", "query", journal, "--request-id", NEEDLE, "--json")
        if len(lines.splitlines()) != 2 or lines.splitlines() != answer.splitlines():
            sys.exit(f"bench: query and grep differ:\n{answer.decode()}\n{lines.decode()}")
        parsed, count = seconds_of(BUILD / "bench" / "parse", *segments)
        judged, sums = seconds_of(*replay)
        if json.loads(sums)["same"] < options.records // 2 - 1 or int(count) <= options.records:
            sys.exit(f"bench: the replay did not judge every intent:\n{sums.decode()}{count.decode()}")
        pairs["verify"].append((verified, hashed))
        pairs["replay"].append((judged, parsed))
        pairs["query"].append((asked, grepped))
    found = {"records": opened[0]["records"], "bytes": size, "fill_records_per_second": filled["records"] / filled["seconds"],
             "open_seconds": statistics.median(one["seconds"] for one in opened), "open_spread": results.spread([one["seconds"] for one in opened])}
    peers = {"verify": "sha256sum", "query": "grep", "replay": "a bare parse with jansson"}
    for name, peer in peers.items():
        runs = pairs[name]
        times = [ours / theirs for ours, theirs in runs]
        found[name] = {"bytes_per_second": size / statistics.median(ours for ours, _ in runs), "peer": peer,
                       "peer_bytes_per_second": size / statistics.median(theirs for _, theirs in runs),
                       "speed_by_peer": 1 / statistics.median(times), "spread": results.spread([1 / one for one in times])}
    shutil.rmtree(journal)
    shutil.rmtree(keys)
    return found


def reading_text(found):
    lines = [f"A journal of {found['records']} records, {found['bytes'] / 1e9:.2f} GB: open and ready in {found['open_seconds']:.2f} s "
             f"({found['open_spread'][0]:.2f}–{found['open_spread'][1]:.2f})."]
    for name, words in (("verify", "audit verify"), ("query", "audit query"), ("replay", "replay")):
        one = found[name]
        lines.append(f"{words}: {one['bytes_per_second'] / 1e6:.0f} MB/s, {results.ranged(one['speed_by_peer'], one['spread'])} × as fast as "
                     f"{one['peer']} on the same files.")
    return "\n".join(lines)


def keep(found):
    path = BUILD / "bench.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known["journal"] = found
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path}: journal")


def main():
    options = arguments()
    directory = BUILD / "bench" / "journal-run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    mutations = durable_mutations(directory, options)
    print(durable_table(mutations), flush=True)
    reading = read_the_journal(directory, options)
    print("\n" + reading_text(reading))
    shutil.rmtree(directory)
    keep({"mutations": mutations, "reading": reading})


if __name__ == "__main__":
    main()
