"""One run of one contestant: started afresh, warmed up, loaded, and asked whether everything was on."""

import shutil
import socket
import time

import load
import meter
from contestants import Setting

CONTESTANT_CORE, LOAD_CORE = 0, 1
WARM_UP = 1  # seconds; the least that wrk can
IDLE_CONNECTIONS = 1000
AT_REST = 3  # seconds after its start


class Bench:
    """What all runs of a variant share: the upstream, the requests, the world."""

    def __init__(self, variant, world, directory, upstream, plain_upstream, front=None):
        self.variant = variant
        self.world = world
        self.directory = directory
        self.upstream = upstream
        self.plain_upstream = plain_upstream
        self.front = front if variant.tls_front else None
        self.requests = directory / f"{variant.name}.lua"
        load.write_requests(self.requests, world.load(variant.mutations, variant.close))

    def start(self, contestant):
        cores = str(CONTESTANT_CORE) if self.variant.workers == 1 else f"{CONTESTANT_CORE},{LOAD_CORE}"
        contestant.start(self.directory / contestant.name, Setting(
            world=self.world, upstream=self.upstream.port, plain_upstream=self.plain_upstream.port,
            certificate=self.upstream.certificate, front=self.front, connections=self.variant.connections, workers=self.variant.workers, cores=cores))

    def load(self, contestant, seconds):
        return load.run(contestant.port, self.requests, self.variant.connections, seconds, LOAD_CORE,
                        tls=self.front is not None and contestant.tls_front)

    def upstream_of(self, contestant):
        return self.upstream if contestant.tls_upstream else self.plain_upstream

    def run(self, contestant, seconds):
        """The figures of one run. RuntimeError where something was not as it should be."""
        upstream = self.upstream_of(contestant)
        first = upstream.settled()
        try:
            self.start(contestant)
            idle = meter.memory(contestant.pid)
            self.load(contestant, WARM_UP)
            counted, used = upstream.settled(), meter.Usage(contestant.pid)
            began = time.monotonic()
            loaded = self.load(contestant, seconds)
            took = time.monotonic() - began
            last = upstream.settled()
            used = meter.Usage(contestant.pid) - used
            most = meter.memory(contestant.pid, "VmHWM")
        finally:
            contestant.stop()
        requests = last["requests"] - counted["requests"]
        on = self.all_on(contestant, {name: last[name] - first[name] for name in ("requests", "mutations")})
        if loaded["refused"] or loaded["broken"] or requests < loaded["requests"]:
            raise RuntimeError(f"{contestant.name}, {self.variant.name}: {requests} requests upstream, and of the load: {loaded}")
        shutil.rmtree(self.directory / contestant.name, ignore_errors=True)
        share = used.user / (used.user + used.system) if used.user + used.system else 0.0
        return {"us_per_request": used.total * 1e6 / requests, "user_us_per_request": used.total * 1e6 / requests * share,
                "requests_per_second": loaded["requests"] / loaded["seconds"], "p50_us": loaded["p50_us"], "p99_us": loaded["p99_us"],
                "busy": used.total / took, "rss_idle": idle, "rss_loaded": most, "requests": requests, "evidence": on}

    def all_on(self, contestant, seen):
        """Does what the contestant wrote agree with what the upstream saw, since the contestant's start? A request that was under way when
        the load stopped may have been logged and not sent on."""
        slack = 4 * self.variant.connections
        evidence = {"upstream": seen["requests"], "upstream_mutations": seen["mutations"], "access_lines": contestant.access_lines(),
                    "audit": contestant.audit_lines()}
        for written, sent in (("access_lines", seen["requests"]), ("audit", seen["mutations"])):
            lines = evidence[written]
            if lines is not None and not sent * (1 - contestant.log_loss) <= lines <= sent + slack:
                raise RuntimeError(f"{contestant.name}, {self.variant.name}: not everything was on: {evidence}")
        return evidence


def idle_memory(bench, contestant):
    """Bytes of memory at rest, and for each of a thousand connections that have had an answer and wait."""
    request = bench.world.load(count=1)[0].encode()
    connections = []

    def open_some(count):
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", contestant.port), timeout=20)
            connections.append(connection)
            connection.sendall(request)
            if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{contestant.name}: no answer on a connection that was to be idle")

    try:
        bench.start(contestant)
        time.sleep(AT_REST)
        idle = meter.memory(contestant.pid)
        open_some(32)
        before = meter.memory(contestant.pid)
        open_some(IDLE_CONNECTIONS)
        return {"rss_idle": idle, "bytes_per_idle_connection": (meter.memory(contestant.pid) - before) / IDLE_CONNECTIONS}
    finally:
        for connection in connections:
            connection.close()
        contestant.stop()
        shutil.rmtree(bench.directory / contestant.name, ignore_errors=True)
