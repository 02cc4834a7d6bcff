"""What a large policy costs: to load, beside a bare parse of the same file; to keep, beside the file's size; to ask, in instructions.

    scale.py [--rounds N]

Policies of 10, 1,000 and 100,000 organisations, and one of a million grants. PORTCULLIS_BUILD says which build; the figures are kept in
bench-scale.json in it.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True

import callgrind  # noqa: E402
import contestants  # noqa: E402
import grants  # noqa: E402
from results import lines_of  # noqa: E402

BUILD = contestants.ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
PROGRAM = BUILD / "bench" / "scale"
CONTRACT = contestants.ROOT / "conf" / "integrations.openapi.json"
WORLDS = [grants.World(3, 10), grants.World(3, 1000), grants.World(3, 100_000), grants.World(1000, 1001)]
REQUESTS = 200


def write_requests(path, world):
    chance = random.Random(11)
    lines = []
    for _ in range(REQUESTS):
        principal, organisation = world.allowed(chance, False)
        lines.append(f"{world.token(principal)} /rest/orgs/{world.organisation(organisation)}/integrations?version={grants.VERSION}")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def run(words, directory):
    ran = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, cwd=directory)
    if ran.returncode != 0:
        sys.exit(f"scale: {words[0]} failed: {ran.stderr[-2000:]}")
    found = json.loads(ran.stdout.splitlines()[-1])
    if found["passed"] != REQUESTS:
        sys.exit(f"scale: {found['passed']} of {REQUESTS} requests were let through")
    return found


def instructions(words, directory):
    """Of one judgement."""
    run(("valgrind", "--tool=callgrind", "--toggle-collect=decide", "--compress-pos=no", "--callgrind-out-file=profile", *words), directory)
    return callgrind.read(directory / "profile").total / REQUESTS


def measure(world, directory, rounds):
    policy, requests = directory / "policy.json", directory / "requests"
    world.write_policy(policy)
    write_requests(requests, world)
    words = (PROGRAM, policy, CONTRACT, requests)
    runs = [run(words, directory) for _ in range(rounds)]
    times = [one["load_s"] / one["parse_s"] for one in runs]
    return {"organizations": world.organisations, "grants": world.grants, "file_bytes": runs[0]["file_bytes"],
            "load_s": statistics.median(one["load_s"] for one in runs), "load_by_parse": statistics.median(times),
            "spread": [min(times), max(times)], "kept_by_file": runs[0]["kept_bytes"] / runs[0]["file_bytes"],
            "instructions": instructions(words, directory)}


def main():
    parser = argparse.ArgumentParser(description="Says what a large policy costs.")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    directory = BUILD / "bench" / "scale-run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    found = [measure(world, directory, options.rounds) for world in WORLDS]
    shutil.rmtree(directory)
    header = ["organizations", "grants", "file MB", "load s", "load × bare parse", "spread", "kept × file", "instructions a judgement", "× first"]
    print("\n".join(lines_of(header, [[one["organizations"], one["grants"], f"{one['file_bytes'] / 1e6:.2f}", f"{one['load_s']:.3f}",
          f"{one['load_by_parse']:.2f}", f"{one['spread'][0]:.2f}–{one['spread'][1]:.2f}", f"{one['kept_by_file']:.2f}",
          f"{one['instructions']:.0f}", f"{one['instructions'] / found[0]['instructions']:.2f}"] for one in found])))
    (BUILD / "bench-scale.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(BUILD / "bench-scale.json")


if __name__ == "__main__":
    main()
