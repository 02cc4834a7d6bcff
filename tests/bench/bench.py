"""Measures the gate beside other proxies: the same load, the same upstream, the same policy, one worker pinned to a core of its own.

    bench.py [--quick] [--compare OLD.json] [--rounds N] [--seconds N] [--variants a,b] [--contestants a,b]

What counts is CPU time of the proxy by request, as a ratio to a bare relay and to HAProxy with the same policy in the same round: times
by the clock depend on the machine and on what else it does. PORTCULLIS_BUILD says which build is measured; results go to bench.json in it.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import cases  # noqa: E402
import contestants  # noqa: E402
import grants  # noqa: E402
import measure  # noqa: E402
import results  # noqa: E402
import variants  # noqa: E402
from cheap_upstream import Upstream, make_certificate  # noqa: E402

BUILD = contestants.ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
EVERYBODY = tuple(kind.name for kind in contestants.ALL)
PLANS = {  # variant: rounds, seconds, contestants; None stands for all other variants
    "full": {"reads": (5, 8, EVERYBODY), "mixed": (5, 8, EVERYBODY), None: (3, 5, EVERYBODY)},
    "quick": {"reads": (2, 2, EVERYBODY), "mixed": (1, 2, ("relay", "haproxy-policy", "nginx-lua", "portcullis", "portcullis-lto")),
              None: (1, 1, ("relay", "haproxy-policy", "portcullis"))},
}


def arguments():
    parser = argparse.ArgumentParser(description="Measures the gate beside other proxies.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--variants", type=lambda text: text.split(","))
    parser.add_argument("--contestants", type=lambda text: text.split(","))
    return parser.parse_args()


def first_line(path, start):
    for line in path.read_text().splitlines():
        if line.startswith(start):
            return line.partition(":")[2].strip()
    return None


def output_of(*words):
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=contestants.ROOT)
    return ran.stdout.strip() if ran.returncode == 0 else None


def facts(options, runners):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"cpu": first_line(pathlib.Path("/proc/cpuinfo"), "model name"), "cores": os.cpu_count(), "kernel": platform.release(),
                    "load_before": os.getloadavg()[0]},
        "commit": output_of("git", "describe", "--always", "--dirty"),
        "libevent": output_of("dpkg-query", "-W", "-f", "${Version}", "libevent-core-2.1-7"),
        "versions": {runner.name: runner.version() for runner in runners},
        "quick": options.quick,
    }


def choose(options):
    """Contestants that are there, in order."""
    chosen = []
    for kind in contestants.ALL:
        runner = kind(BUILD)
        if options.contestants and runner.name not in options.contestants:
            continue
        if runner.missing():
            print(f"{runner.name}: left out, {runner.missing()} is missing", flush=True)
        else:
            chosen.append(runner)
    return chosen


def check_all(directory, world, runners, upstream):
    """Whoever has a policy answers the ten cases rightly, or nothing is measured."""
    bench = measure.Bench(variants.ALL[0], world, directory, upstream, upstream)
    wrong = []
    for runner in runners:
        if runner.policy:
            bench.start(runner)
            try:
                wrong += cases.failures(runner, upstream, world)
            finally:
                runner.stop()
    if wrong:
        sys.exit("bench: not every contestant does its work:\n" + "\n".join(wrong))
    print(f"checked: {', '.join(runner.name for runner in runners if runner.policy)}: "
          f"{len(cases.CASES)} cases each answered rightly", flush=True)


def plan(options, variant, runners):
    """Rounds, seconds, contestants."""
    plans = PLANS["quick" if options.quick else "full"]
    rounds, seconds, names = plans.get(variant.name, plans[None])
    return options.rounds or rounds, options.seconds or seconds, [runner for runner in runners if runner.name in names]


def run_variant(options, variant, bench, runners):
    rounds, seconds, runners = plan(options, variant, runners)
    done = []
    for number in range(rounds):
        done.append({})
        order = runners[number % len(runners):] + runners[:number % len(runners)]  # nobody is always first
        for runner in order:
            run = bench.run(runner, seconds)
            done[-1][runner.name] = run
            print(f"{variant.name} {number + 1}/{rounds} {runner.name}: {run['us_per_request']:.2f} µs/request", flush=True)
    return results.summarise(variant.name, done)


def measure_idle(bench, runners):
    return [{"variant": "idle", "contestant": runner.name, **measure.idle_memory(bench, runner)} for runner in runners]


def run_all(options, directory, runners):
    world = grants.World()
    certificate, key = make_certificate(directory)
    found = []
    plain = Upstream(BUILD, 600, measure.LOAD_CORE)
    started = [plain]
    try:
        check_all(directory, world, runners, plain)
        for variant in variants.ALL:
            if options.variants and variant.name not in options.variants:
                continue
            upstream = plain
            if variant.tls_upstream:
                upstream = Upstream(BUILD, variant.answer, measure.LOAD_CORE, certificate, key)
            elif variant.answer != 600:
                upstream = Upstream(BUILD, variant.answer, measure.LOAD_CORE)
            started += [upstream] if upstream is not plain else []
            bench = measure.Bench(variant, world, directory, upstream, plain if variant.tls_upstream else upstream, (certificate, key))
            found += run_variant(options, variant, bench, runners)
            print(results.table(variant.what, [one for one in found if one["variant"] == variant.name]) + "\n", flush=True)
        if not options.variants or "idle" in options.variants:
            bench = measure.Bench(variants.ALL[0], world, directory, plain, plain)
            found += measure_idle(bench, runners)
            print(results.idle_table([one for one in found if one["variant"] == "idle"]), flush=True)
    finally:
        for upstream in started:
            upstream.stop()
    return found


def main():
    options = arguments()
    earlier = json.loads(options.compare.read_text()) if options.compare else None
    directory = BUILD / "bench" / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    began = time.monotonic()
    runners = choose(options)
    if not runners:
        sys.exit("bench: no contestant")
    known = facts(options, runners)
    found = run_all(options, directory, runners)
    print(results.goal_table(found))
    if known["machine"]["load_before"] > 0.5:
        print(f"\nThe machine was busy (load {known['machine']['load_before']:.1f} before the first run): mind the spread.")
    results.write(BUILD / "bench.json", known, found)
    print(f"\n{BUILD / 'bench.json'}: {len(found)} results in {time.monotonic() - began:.0f} s")
    if earlier:
        print(results.compare(found, earlier))


if __name__ == "__main__":
    main()
