"""Does the cost of a request stay flat? With 10 to a million grants, with one to ten thousand connections, while the policy is swapped
five times a second (on the same core), and memory over a million requests, of which every tenth is a mutation.

    growth.py [--parts grants,connections,swaps,memory] [--rounds N] [--seconds N] [--requests N]

The relay runs beside the gate in every round: what grows for both is the kernel's. PORTCULLIS_BUILD says which build; the figures are
kept in bench-growth.json in it.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True

import contestants  # noqa: E402
import grants  # noqa: E402
import load  # noqa: E402
import meter  # noqa: E402
from cheap_upstream import Upstream  # noqa: E402
from measure import CONTESTANT_CORE, LOAD_CORE, WARM_UP  # noqa: E402
from results import lines_of  # noqa: E402

BUILD = contestants.ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
WORLDS = [grants.World(5, 3), grants.World(125, 9), grants.World(1000, 101), grants.World(1000, 1001)]
POOL = 64  # connections of the gate to the upstream, however many clients there are


def connection_counts():
    """1, 64, 1,000, and 10,000 or as many as the limit on open files lets a relay have, which needs two for each."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return [1, 64, 1000, min(10000, (most - 500) // 2)]


class Growth:
    def __init__(self, directory, upstream, options):
        self.directory = directory
        self.upstream = upstream
        self.options = options

    def start(self, kind, world, connections):
        contestant = kind(BUILD)
        began = time.monotonic()
        contestant.start(self.directory / contestant.name, contestants.Setting(
            world=world, upstream=self.upstream.port, plain_upstream=self.upstream.port, connections=connections, pool=POOL,
            cores=str(CONTESTANT_CORE)))
        return contestant, time.monotonic() - began

    def requests(self, world, mutations=0.0):
        path = self.directory / "requests.lua"
        load.write_requests(path, world.load(mutations, count=10000))
        return path

    def once(self, kind, world, connections, requests):
        """Microseconds by request, memory at the end, and how long the start took, once."""
        contestant, start = self.start(kind, world, connections)
        try:
            load.run(contestant.port, requests, connections, WARM_UP, LOAD_CORE)
            first, used = self.upstream.settled(), meter.Usage(contestant.pid)
            loaded = load.run(contestant.port, requests, connections, self.options.seconds, LOAD_CORE)
            last = self.upstream.settled()
            used = meter.Usage(contestant.pid) - used
            size = meter.memory(contestant.pid)
        finally:
            contestant.stop()
            shutil.rmtree(contestant.directory, ignore_errors=True)
        if loaded["refused"] or loaded["broken"]:
            raise RuntimeError(f"{contestant.name}: with {connections} connections: {loaded}")
        return {"us_per_request": used.total * 1e6 / (last["requests"] - first["requests"]), "rss": size, "start_s": start}

    def compare(self, world, connections):
        """Medians of the gate, and its ratio to the relay in the same round."""
        requests = self.requests(world)
        rounds = []
        for _ in range(self.options.rounds):
            relay = self.once(contestants.Relay, world, connections, requests)
            gate = self.once(contestants.Portcullis, world, connections, requests)
            rounds.append({**gate, "relay_us_per_request": relay["us_per_request"],
                           "ratio_relay": gate["us_per_request"] / relay["us_per_request"]})
        found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        found["spread"] = [min(one["ratio_relay"] for one in rounds), max(one["ratio_relay"] for one in rounds)]
        return {"grants": world.grants, "connections": connections, **found}

    def swaps(self, world):
        """Latency with a policy that stays, and with one that is swapped five times a second, by turns in one run of one gate."""
        requests = self.requests(world)
        gate, _ = self.start(contestants.Portcullis, world, 64)
        rounds = {"quiet": [], "swapped": []}
        try:
            load.run(gate.port, requests, 64, WARM_UP, LOAD_CORE)
            for _ in range(self.options.rounds):
                for name, found in rounds.items():
                    done = threading.Event()
                    swapper = threading.Thread(target=self.swap, args=(gate.pid, done if name == "swapped" else None))
                    swapper.start()
                    found.append(load.run(gate.port, requests, 64, self.options.seconds, LOAD_CORE))
                    done.set()
                    swapper.join()
        finally:
            gate.stop()
        if any(one["refused"] or one["broken"] for found in rounds.values() for one in found):
            raise RuntimeError(f"not all requests were answered: {rounds}")
        return {"grants": world.grants, **{f"{name}_{figure}": statistics.median(one[figure] for one in found)
                                           for name, found in rounds.items() for figure in ("p50_us", "p99_us")}}

    @staticmethod
    def swap(pid, done):
        while done is not None and not done.wait(0.2):
            os.kill(pid, signal.SIGHUP)

    def memory(self):
        """Memory of the gate after each tenth of the requests."""
        world = grants.World()
        requests = self.requests(world, mutations=0.1)
        gate, _ = self.start(contestants.Portcullis, world, 64)
        found = []
        try:
            began = self.upstream.settled()["requests"]
            done = 0
            while done < self.options.requests:
                load.run(gate.port, requests, 64, 1, LOAD_CORE)
                done = self.upstream.settled()["requests"] - began
                if done >= self.options.requests * (len(found) + 1) / 10:
                    found.append({"requests": done, "rss": meter.memory(gate.pid)})
                    print(f"{done} requests: {found[-1]['rss'] / 1e6:.2f} MB", flush=True)
        finally:
            gate.stop()
        return found


def show(what, found):
    header = ["grants", "connections", "µs/request", "relay", "× relay", "spread", "RSS MB", "start s"]
    rows = [[one["grants"], one["connections"], f"{one['us_per_request']:.2f}", f"{one['relay_us_per_request']:.2f}",
             f"{one['ratio_relay']:.2f}", f"{one['spread'][0]:.2f}–{one['spread'][1]:.2f}", f"{one['rss'] / 1e6:.1f}",
             f"{one['start_s']:.2f}"] for one in found]
    print("\n".join(["", what, *lines_of(header, rows), ""]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Says whether the cost of a request stays flat.")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["grants", "connections", "swaps", "memory"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    directory = BUILD / "bench" / "growth"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    upstream = Upstream(BUILD, 600, LOAD_CORE)
    growth = Growth(directory, upstream, options)
    found = {}
    try:
        if "grants" in options.parts:
            found["grants"] = [growth.compare(world, 64) for world in WORLDS]
            show("reads with more and more grants", found["grants"])
        if "connections" in options.parts:
            found["connections"] = [growth.compare(grants.World(), count) for count in connection_counts()]
            show("reads with more and more connections", found["connections"])
        if "swaps" in options.parts:
            found["swaps"] = [growth.swaps(world) for world in WORLDS[:3]]
            for one in found["swaps"]:
                print(f"{one['grants']} grants: p50 {one['quiet_p50_us']:.0f} µs, p99 {one['quiet_p99_us']:.0f} µs; "
                      f"swapped five times a second: p50 {one['swapped_p50_us']:.0f} µs, p99 {one['swapped_p99_us']:.0f} µs", flush=True)
        if "memory" in options.parts:
            found["memory"] = growth.memory()
    finally:
        upstream.stop()
        shutil.rmtree(directory, ignore_errors=True)
    (BUILD / "bench-growth.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(pathlib.Path(BUILD / "bench-growth.json"))


if __name__ == "__main__":
    main()
