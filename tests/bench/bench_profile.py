"""Where a request's cost goes: syscalls, user instructions by function, allocations and copies by place, for a read and for a mutation;
and syscalls and time under load.

    bench_profile.py [--top 15] [--kinds read,mutation]

PORTCULLIS_BUILD says which build: best one with libevent linked statically, since Debian's library names few of its functions. The same
is written to bench-profile.txt in the build.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections import Counter

sys.dont_write_bytecode = True

import contestants  # noqa: E402
import counts  # noqa: E402
import grants  # noqa: E402
import load  # noqa: E402
import meter  # noqa: E402
from cheap_upstream import Upstream  # noqa: E402
from measure import CONTESTANT_CORE, LOAD_CORE  # noqa: E402

BUILD = contestants.ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
NOT_TOLD = ("memcpy", "memmove", "__memcpy_chk")  # of backtraces: what moves the bytes, or the shell round it
SECONDS = 3


class Report:
    """What is printed, and kept."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def say(self, text=""):
        print(text, flush=True)
        print(text, file=self.file, flush=True)

    def heading(self, text):
        self.say(f"\n== {text}")


def where(profiled, name):
    """The source file of a function of ours, the library of another's."""
    for folder in ("policies/", "proxy/"):
        if folder in profiled.sources[name]:
            return folder + profiled.sources[name].rpartition(folder)[2]
    return profiled.objects[name]


def show_functions(report, profiled, top):
    report.say(f"{'own':>8} {'share':>6} {'with called':>11} {'calls':>6}  function")
    for name, own in profiled.own.most_common(top):
        report.say(f"{own:8.0f} {own / profiled.total:6.1%} {profiled.inclusive[name]:11.0f} {profiled.calls[name]:6.1f}  "
                   f"{name} ({where(profiled, name)})")


def show_inclusive(report, profiled, top):
    """The gate's own functions that cost most with what they call; those round half of the whole and more say nothing."""
    ours = {name: cost for name, cost in profiled.inclusive.items()
            if where(profiled, name) != profiled.objects[name] and cost < 0.3 * profiled.total and profiled.calls[name] > 0.5}
    report.say(f"{'with called':>11} {'share':>6}  function")
    for name, cost in Counter(ours).most_common(top):
        report.say(f"{cost:11.0f} {cost / profiled.total:6.1%}  {name} ({where(profiled, name)})")


def show_libraries(report, profiled):
    by_library = Counter()
    for name, own in profiled.own.items():
        by_library[profiled.objects[name]] += own
    report.say("by program and library: " + ", ".join(f"{name} {own:.0f}" for name, own in by_library.most_common(6)))


def show_places(report, blocks, sizes, top):
    order = sorted(blocks, key=lambda place: -blocks[place])
    for place in order[:top]:
        trace = [name for name in place if name not in NOT_TOLD][:6]
        report.say(f"{blocks[place]:8.2f} × {sizes.get(place, 0) / blocks[place]:7.0f} bytes  {' < '.join(trace)}")


def one_by_one(report, subject, kind, top):
    report.heading(f"a {kind}, alone on its connection")
    found = counts.syscalls(subject, kind)
    report.say(f"syscalls: {sum(found.values()):.2f}: " + ", ".join(f"{name} {count:.2f}" for name, count in found.items()))
    profiled = counts.profile(subject, kind)
    report.say(f"user instructions: {profiled.total:.0f}, {counts.allocations(profiled):.2f} allocations")
    show_libraries(report, profiled)
    report.say()
    show_functions(report, profiled, top)
    report.say()
    show_inclusive(report, profiled, 3 * top)
    for mode, what in (("heap", "allocations"), ("copy", "copies")):
        blocks, sizes = counts.places(subject, kind, mode)
        report.say(f"\n{what}: {sum(blocks.values()):.2f}, of together {sum(sizes.values()):.0f} bytes")
        show_places(report, blocks, sizes, top if mode == "copy" else 2 * top)


# ---- under load ----

def under_load(subject, kind, tool=(), beside=None):
    """The gate with 64 connections on a core of its own; requests done, what it used, and what beside(pid) gave."""
    gate = contestants.Portcullis(subject.build)
    gate.tool = tool
    requests = subject.directory / "load.lua"
    load.write_requests(requests, subject.world.load(mutations=1.0 if kind == "mutation" else 0.0))
    try:
        gate.start(subject.directory / "gate", contestants.Setting(
            world=subject.world, upstream=subject.upstream.port, plain_upstream=subject.upstream.port, cores=str(CONTESTANT_CORE)))
        first, used = subject.upstream.settled(), meter.Usage(gate.pid)
        running = beside(gate.pid) if beside else None
        load.run(gate.port, requests, 64, SECONDS, LOAD_CORE)
        used = meter.Usage(gate.pid) - used
        done = subject.upstream.settled()["requests"] - first["requests"]
        if running:
            running.wait(60)
    finally:
        gate.stop()
    return done, used


def loaded_syscalls(report, subject, kind):
    summary = subject.directory / "syscalls"
    summary.unlink(missing_ok=True)
    done, _ = under_load(subject, kind, counts.strace(summary))
    found = counts.read_strace(summary)
    report.say(f"syscalls of a {kind} under load: {sum(found.values()) / done:.2f}: "
               + ", ".join(f"{name} {count / done:.2f}" for name, count in found.most_common() if count / done >= 0.01))


def loaded_time(report, subject, kind, top):
    """Samples of where the gate is, kernel included. Needs perf; the samples are of a clock, so any machine can take them."""
    data = subject.directory / "perf.data"

    def sample(pid):
        return subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "4000", "-o", str(data), "-p", str(pid),
                                 "--", "sleep", str(SECONDS - 1)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done, used = under_load(subject, kind, beside=sample if shutil.which("perf") else None)
    report.say(f"time of a {kind} under load: {used.total * 1e6 / done:.2f} µs, of that user "
               f"{used.user / (used.user + used.system):.0%}")
    if not data.exists():
        report.say("(no samples: perf is not there)")
        return
    told = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--no-children", "-g", "none", "-s", "dso,symbol", "-w", "7,20,60"],
                          capture_output=True, text=True, check=False).stdout
    lines = [line.rstrip(" -") for line in told.splitlines() if line.strip() and not line.startswith("#")]
    report.say("\n".join(lines[:2 * top]))


def main():
    parser = argparse.ArgumentParser(description="Says where the cost of a request goes.")
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["read", "mutation"])
    options = parser.parse_args()
    directory = BUILD / "bench" / "profile"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    report = Report(BUILD / "bench-profile.txt")
    began = time.monotonic()
    upstream = Upstream(BUILD, 600, LOAD_CORE)
    try:
        for kind in options.kinds:
            one_by_one(report, counts.Subject(BUILD, directory, upstream), kind, options.top)
        wide = counts.Subject(BUILD, directory, upstream, world=grants.World())
        for kind in options.kinds:
            report.heading(f"{kind}s on 64 connections")
            loaded_syscalls(report, wide, kind)
            loaded_time(report, wide, kind, options.top)
    finally:
        upstream.stop()
    print(f"\n{BUILD / 'bench-profile.txt'}: in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
