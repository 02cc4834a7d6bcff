"""What a request costs the gate, in counts that come out alike on every machine: syscalls (strace), user instructions and allocations
(callgrind), places that allocate (DHAT).

Each count is the difference between two runs of a fresh gate, one with more requests than the other, by the requests between: what start
and stop cost is not in it. The requests come one after the other on one connection.
"""

import json
import pathlib
import re
import socket
import time
from collections import Counter

import callgrind
import contestants
import grants

FEW = 50
ALLOCATORS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")


class Subject:
    """The gate of a build, before an upstream that runs already."""

    def __init__(self, build, directory, upstream, world=None, config=None):
        self.build = pathlib.Path(build)
        self.directory = pathlib.Path(directory)
        self.upstream = upstream
        self.world = world or grants.World(principals=10, organisations=4)
        self.config = config or {}

    def run(self, tool, requests):
        """Starts the gate under a tool, sends the requests, stops it; what the gate wrote is left in the directory."""
        gate = contestants.Portcullis(self.build)
        gate.tool = tool
        setting = contestants.Setting(world=self.world, upstream=self.upstream.port, plain_upstream=self.upstream.port,
                                      extra=self.config)
        try:
            gate.start(self.directory / "gate", setting)
            exchange(gate.port, requests)
        finally:
            gate.stop()
        lines = gate.access_lines()
        if lines != len(requests):
            raise RuntimeError(f"{len(requests)} requests, and {lines} lines in the access log")
        return gate.directory


def exchange(port, requests):
    """Sends requests on one connection, each when the answer to the one before is whole and good."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for request in requests:
            connection.sendall(request.encode())
            received = b""
            while not is_whole(received):
                piece = connection.recv(65536)
                if not piece:
                    raise RuntimeError(f"closed instead of an answer: {received[:200]!r}")
                received += piece
            if not received.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"not the answer that was expected: {received[:300]!r}")


def is_whole(received):
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= int(length[1])


def requests_of(subject, kind, count):
    """`kind`: "read" or "mutation"."""
    return subject.world.load(mutations=1.0 if kind == "mutation" else 0.0, count=count)


def by_request(fewer, more, requests):
    """The difference of two counters, by request; what is next to nothing is left out."""
    found = {name: (more[name] - fewer[name]) / requests for name in more | fewer}
    return {name: count for name, count in sorted(found.items(), key=lambda item: -item[1]) if abs(count) >= 0.005}


def difference(subject, kind, requests, once):
    """once(list of requests) gives a Counter."""
    return by_request(once(requests_of(subject, kind, FEW)), once(requests_of(subject, kind, FEW + requests)), requests)


# ---- syscalls ----

def strace(report):
    return ("strace", "-D", "-f", "-qq", "-c", "-o", report)


def read_strace(report):
    """The summary of strace -c; the tracer writes it when the gate has ended, so it may be a moment late."""
    deadline = time.monotonic() + 20
    while not report.exists() or not report.read_text().rstrip().endswith("total"):
        if time.monotonic() > deadline:
            raise RuntimeError("strace wrote no summary")
        time.sleep(0.02)
    counts = Counter()
    for line in report.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            counts[fields[-1]] = int(fields[3])
    return counts


def syscalls(subject, kind, requests=500):
    """Name of the syscall and how many of it, by request."""
    def once(sent):
        report = subject.directory / "syscalls"
        report.unlink(missing_ok=True)
        subject.run(strace(report), sent)
        return read_strace(report)
    return difference(subject, kind, requests, once)


# ---- instructions and allocations ----

def profile(subject, kind, requests=200):
    """A callgrind.Profile of what the requests alone cost, by request."""
    def once(count):
        report = subject.directory / "callgrind.out"
        report.unlink(missing_ok=True)
        subject.run(("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={report}", "--compress-pos=no"),
                    requests_of(subject, kind, count))
        return callgrind.read(report)
    return callgrind.difference(once(FEW), once(FEW + requests), requests)


def allocations(profiled):
    """Calls of the allocator in a profile, by request."""
    return sum(profiled.calls[name] for name in ALLOCATORS)


# ---- places ----

def places(subject, kind, mode, requests=200):
    """Of "heap" (what is allocated) or "copy" (what memcpy and its like move): two dicts, blocks and bytes by request, of backtraces: names
    from the innermost outwards."""
    def once(sent):
        report = subject.directory / "dhat.out"
        report.unlink(missing_ok=True)
        subject.run(("valgrind", "-q", "--tool=dhat", f"--mode={mode}", "--num-callers=12", f"--dhat-out-file={report}"), sent)
        return read_dhat(report)
    fewer, more = once(requests_of(subject, kind, FEW)), once(requests_of(subject, kind, FEW + requests))
    return tuple(by_request(fewer[member], more[member], requests) for member in ("tbk", "tb"))


def read_dhat(report):
    """Counters of blocks (tbk) and bytes (tb) by backtrace."""
    found = json.loads(report.read_text())
    names = [re.sub(r"^0x[0-9A-F]+: ", "", frame).split(" (")[0] for frame in found["ftbl"]]
    counts = {"tbk": Counter(), "tb": Counter()}
    for point in found["pps"]:
        for member, counter in counts.items():
            counter[tuple(names[frame] for frame in point["fs"])] += point[member]
    return counts
