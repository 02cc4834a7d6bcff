"""Slow clients, idle ones and floods, and what becomes of the others. PORTCULLIS_BUILD says which build to run; the figures are those of
your machine.

    slow.py [--connections 1000] [--idle 10000] [--floods 64] [--only slow|idle|floods]

slow: slowhttptest in its four modes, each with that many connections, while a good client is timed. Its median must be at most twice what it
was just before, and none of its requests may go without its answer; the gate must end the slow ones by its own deadlines.
idle: connections held open, new ones and such as were used once; what each costs in memory is printed, and bounded.
floods: clients that send on and on while the reply to their first request is pending; the gate's memory must not grow with what they send.
"""

import argparse
import os
import pathlib
import resource
import selectors
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))

import world  # noqa: E402
from processes import BUILD, Gate, Sandbox, wait_until  # noqa: E402
from upstreams import ScriptedUpstream, answer  # noqa: E402

TIMED = 400                 # requests of the good client in one measurement
SLOWEST = 2.0               # times its quiet median
IDLE_BYTES = 8 * 1024      # of the gate's memory for an idle connection
FLOOD_BYTES = 128 * 1024    # and for one that floods
PATIENCE = 60               # seconds until the gate has ended the slow ones by itself

GOOD = f"GET {world.READ.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {world.READ.token}\r\n\r\n".encode()
LIST = f"{world.INTEGRATIONS}?version={world.VERSION}&limit=100"
# slowhttptest knows no Authorization; it writes the value of Cookie as it is given.
AUTHORISED = f"a=b\r\nAuthorization: Token {world.TOKENS['editor']}"
# Each mode's words; "range" is answered at once and so holds nothing.
MODES = {
    "slow headers (-H)": ["-H", "-i", "2", "-x", "8", "-u", world.READ.target],
    "slow body (-B)": ["-B", "-i", "2", "-x", "8", "-s", "65536", "-f", "application/json", "-t", "POST", "-u", world.CREATE.target],
    "range (-R)": ["-R", "-t", "GET", "-a", "10", "-b", "3000", "-u", world.READ.target],
    # On the loopback the kernel takes all ten answers, so that most of these end as idle ones.
    "slow read (-X)": ["-X", "-k", "10", "-n", "2", "-w", "512", "-y", "1024", "-z", "8", "-u", LIST],
}


def fixtures():
    """The flows' world with enough in it for a long list."""
    more = [{"id": f"aaaaaaaa-0000-4000-8000-{number:012d}", "integration_type": "ecr", "profile_name": "x" * 60 + str(number),
             "has_broker": False} for number in range(1000, 1100)]
    payments = {**world.FIXTURES["organizations"][world.PAYMENTS]}
    payments["integrations"] = payments["integrations"] + more
    return {"organizations": {**world.FIXTURES["organizations"], world.PAYMENTS: payments}}


def sockets(process):
    """How many descriptors of the process are sockets."""
    count = 0
    for entry in os.scandir(f"/proc/{process.process.pid}/fd"):
        try:
            count += os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            pass
    return count


class Clock:
    """The good client: a request on a connection of its own, and one on a connection kept, by turns."""

    def __init__(self, gate):
        self.gate = gate
        self.kept = gate.connect()
        self.failures = 0

    def ask(self, connection):
        connection.sendall(GOOD)
        received = b""
        while not received.endswith(b"}}"):
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
        self.failures += not received.startswith(b"HTTP/1.1 200 ")

    def one(self, number):
        began = time.perf_counter()
        try:
            if number % 2:
                self.ask(self.kept)
            else:
                with self.gate.connect() as connection:
                    self.ask(connection)
        except OSError:
            self.failures += 1
        return (time.perf_counter() - began) * 1e6

    def measure(self, count=TIMED):
        """Median and 99th percentile in µs."""
        times = []
        for number in range(count):
            times.append(self.one(number))
            time.sleep(0.003)
        return statistics.median(times), statistics.quantiles(times, n=100)[98]


def run_mode(name, words, gate, clock, connections):
    """What is wrong, as a list."""
    base = sockets(gate)
    failed, quiet = clock.failures, clock.measure()
    words = [*words[:-1], gate.url + words[-1]]
    command = ["slowhttptest", "-c", str(connections), "-r", str(connections), "-l", str(PATIENCE + 20), "-p", "10", "-j", AUTHORISED, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as attack:
        said = []
        reader = threading.Thread(target=lambda: said.extend(attack.stdout), daemon=True)
        reader.start()
        try:
            most, deadline = 0, time.monotonic() + 10
            while time.monotonic() < deadline and most < 0.95 * connections and attack.poll() is None:
                most = max(most, sockets(gate) - base)
                time.sleep(0.02)
            began = time.monotonic()
            under, held = clock.measure(), max(most, sockets(gate) - base)
            while sockets(gate) > base + 10 and time.monotonic() < began + PATIENCE:
                time.sleep(0.1)
            left, seconds = sockets(gate) - base, time.monotonic() - began
        finally:
            attack.terminate()
    ratio = under[0] / quiet[0]
    print(f"  {name:18} {held:5} held at a time  {quiet[0]:6.0f} µs quiet  {under[0]:6.0f} µs beside them ({ratio:.2f} times; "
          f"99 %: {quiet[1]:.0f} and {under[1]:.0f})  all ended within {seconds:.0f} s", flush=True)
    wrong = []
    if ratio > SLOWEST:
        wrong.append(f"{name}: the good client's median is {ratio:.2f} times the quiet one")
    if clock.failures > failed:
        wrong.append(f"{name}: {clock.failures - failed} requests of the good client were not answered")
    if left > 10:
        wrong.append(f"{name}: {left} slow connections are still open after {PATIENCE} s")
    if held < 0.9 * connections and "-R" not in words:
        wrong.append(f"{name}: only {held} connections were held: slowhttptest said {b''.join(said)[-500:]!r}")
    return wrong


def slow(directory, options):
    sandbox = Sandbox(directory, fixtures=fixtures(), name="slow-sandbox").start()
    limits = {"idle_timeout_ms": 20000, "connections": options.connections + 200}
    gate = Gate(directory, sandbox, world.policy(), {"workers": 0, "limits": limits}, name="slow-gate").start()
    try:
        clock = Clock(gate)
        clock.measure(100)
        wrong = []
        print(f"slowhttptest, {options.connections} connections in each mode:", flush=True)
        for name, words in MODES.items():
            wrong += run_mode(name, words, gate, clock, options.connections)
        return wrong
    finally:
        gate.stop()
        sandbox.stop()


def idle(directory, options):
    sandbox = Sandbox(directory, fixtures=world.FIXTURES, name="idle-sandbox").start()
    limits = {"idle_timeout_ms": 600000, "connections": options.idle + 100}
    gate = Gate(directory, sandbox, world.policy(), {"workers": 0, "limits": limits}, name="idle-gate").start()
    held = []
    try:
        clock = Clock(gate)
        clock.measure(100)
        base, memory = sockets(gate), gate.rss()
        for _ in range(options.idle):
            held.append(gate.connect())
        wait_until(lambda: sockets(gate) >= base + options.idle, what="all connections to be accepted")
        new = (gate.rss() - memory) / options.idle
        for connection in held:
            clock.ask(connection)
        used = (gate.rss() - memory) / options.idle
        median, _ = clock.measure()
        there = sockets(gate) - base
        print(f"{there} idle connections: {new:.0f} bytes of memory each when new, {used:.0f} after a request; a good request beside them takes "
              f"{median:.0f} µs", flush=True)
        wrong = [f"{clock.failures} requests were not answered"] if clock.failures else []
        if there < options.idle:
            wrong.append(f"of {options.idle} idle connections {there} are left")
        if max(new, used) > IDLE_BYTES:
            wrong.append(f"an idle connection costs more than {IDLE_BYTES} bytes")
        return wrong
    finally:
        for connection in held:
            connection.close()
        gate.stop()
        sandbox.stop()


def flood(connections, seconds=5):
    """Sends on every connection whatever it takes; how many bytes that were."""
    block, sent = GOOD * 200, 0
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_WRITE)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for key, _ in selector.select(0.05):
                sent += key.fileobj.send(block)
    return sent


def floods(directory, options):
    release = threading.Event()

    def script(connection, _received):
        release.wait(60)
        connection.sendall(answer(body=b"{}"))
        return True

    upstream = ScriptedUpstream(script)
    gate = Gate(directory, upstream, world.policy(), {"workers": 0}, name="flood-gate").start()
    connections = []
    try:
        connections = [gate.connect() for _ in range(options.floods)]
        for connection in connections:
            connection.sendall(GOOD)
        wait_until(lambda: len(upstream.received) == options.floods, what="all first requests to be pending")
        before = gate.rss()
        sent = flood(connections)
        grown = gate.rss() - before
        print(f"{options.floods} floods while a reply is pending: {sent / 1e6:.1f} MB were taken from them by the gate and both kernels, the gate "
              f"grew by {grown // 1024} KiB", flush=True)
        return [f"a flood costs more than {FLOOD_BYTES} bytes"] if grown > options.floods * FLOOD_BYTES else []
    finally:
        for connection in connections:
            connection.close()
        release.set()
        gate.stop()
        upstream.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--floods", type=int, default=64)
    parser.add_argument("--only", choices=["slow", "idle", "floods"])
    options = parser.parse_args()

    needed = max(options.connections, options.idle) + 1000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"slow.py: {needed} open files are needed, the limit is {hard}: raise it (prlimit --nofile), or ask for fewer with --idle")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    wrong = []
    with tempfile.TemporaryDirectory(prefix="portcullis-slow-") as directory:
        for part in (slow, idle, floods):
            if options.only in (None, part.__name__):
                wrong += part(directory, options)
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    print(f"slow clients: {BUILD.name}: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
