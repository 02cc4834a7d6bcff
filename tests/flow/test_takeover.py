"""One gate takes over from another: no connection is lost, every change is on record, and the old one ends."""

import contextlib
import copy
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import world
from processes import PATIENCE, json_lines, wait_until
from upstreams import answer
from world import READ, UPDATE


@pytest.fixture
def short(tmp_path_factory):
    """A directory whose paths fit into a UNIX socket's address."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def succeed(processes):
    """succeed(gate, start=True, **changes): another process with the gate's configuration, or with members of it changed."""
    count = 0

    def make(gate, start=True, **changes):
        nonlocal count
        count += 1
        new = copy.copy(gate)
        new.name = f"{gate.name}.{count}"
        new.port_file = gate.directory / f"{new.name}.port"
        new.errors = gate.directory / f"{new.name}.stderr"
        new.process = None
        new.configure(changes)
        processes.append(new)
        return new.start() if start else new

    return make


def addresses(gate):
    return json.loads(gate.port_file.read_text())["listen"]


class Road:
    """One way to a gate: an address of its port file."""

    def __init__(self, address, header=b"", tls=None):
        self.header, self.tls = header, tls
        host, _, port = address.rpartition(":")
        self.address = address.removeprefix("unix:") if address.startswith("unix:") else (host.strip("[]"), int(port))

    def connect(self):
        if isinstance(self.address, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            connection.connect(self.address)
        else:
            connection = socket.create_connection(self.address, PATIENCE)
        connection.sendall(self.header)
        return self.tls.wrap_socket(connection, server_hostname="localhost") if self.tls else connection

    def request(self, operation, connection=None):
        """The status of one request, on a connection of its own."""
        client = http.client.HTTPConnection("gate")
        client.sock = connection or self.connect()
        body = json.dumps(world.another(operation).body) if operation.body else None
        fields = {"Authorization": f"Token {operation.token}", **({"Content-Type": "application/vnd.api+json"} if body else {})}
        try:
            client.request(operation.method, operation.target, body=body, headers=fields)
            return client.getresponse().status
        finally:
            client.close()


class Load:
    """Threads that ask without a pause, over all roads in turn: reads and changes, each on a connection of its own."""

    def __init__(self, roads, threads=4):
        self.roads, self.over = roads, threading.Event()
        self.answers, self.faults, self.refused = [], [], 0
        self.threads = [threading.Thread(target=self.run, args=(index,)) for index in range(threads)]

    def run(self, index):
        turn = index
        while not self.over.is_set():
            turn += 1
            operation = UPDATE if turn % 3 == 0 else READ
            try:
                self.answers.append((operation, self.roads[turn % len(self.roads)].request(operation)))
            except (ConnectionRefusedError, FileNotFoundError):
                self.refused += 1
            except (OSError, http.client.HTTPException) as fault:
                self.faults.append((turn % len(self.roads), repr(fault)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE * 2)

    def wait_for(self, more):
        target = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= target or self.faults, what=f"{more} answers")

    @property
    def wrong(self):
        return [(operation.id, status) for operation, status in self.answers if status != operation.status]

    def changes(self):
        return sum(operation is UPDATE for operation, _ in self.answers)


def assert_settled(gate, sandbox, changes):
    """Every change that the API saw has its intent and its outcome, and there is no other."""
    seen = [line for line in sandbox.ledger() if line["method"] == UPDATE.method]
    intents = {record["request_id"] for record in gate.exchanges("intent")}
    outcomes = {record["request_id"]: record["status"] for record in gate.exchanges("outcome")}
    assert len(seen) == len(intents) == changes
    assert intents == set(outcomes)
    assert set(outcomes.values()) == {UPDATE.status}
    numbers = [record["seq"] for record in gate.journal()]
    assert numbers == list(range(1, len(numbers) + 1)), "one journal, in one order"


def descriptors(gate):
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


@pytest.fixture
def everywhere(make_gate, sandbox, short, certificates):
    """A gate with a listener of every kind, and the roads to it."""
    path = short / "a.sock"
    gate = make_gate(sandbox, config={
        "listen": ["127.0.0.1:0", "[::1]:0", f"unix:{path}", {"address": "127.0.0.1:0", "proxy_protocol": True}, {"address": "127.0.0.1:0", "tls": True},
                   {"address": f"unix:{short}/p.sock", "proxy_protocol": True}],
        "tls": {"certificate": str(certificates.good.file), "key": str(certificates.good.key_file)},
        "trusted_networks": ["127.0.0.0/8"], "takeover": str(short / "takeover.sock"), "admin": {"listen": f"unix:{short}/admin.sock"}})
    context = ssl.create_default_context(cafile=certificates.good.authority)
    header = b"PROXY TCP4 192.0.2.1 198.51.100.1 1234 443\r\n"
    plain, six, local, proxied, tls, both = addresses(gate)
    return gate, [Road(plain), Road(six), Road(local), Road(proxied, header), Road(tls, tls=context), Road(both, header)]


def test_takes_over_everything(everywhere, succeed, short):
    """All kinds of listeners, the admin's, and the socket for the next one; the files are removed by the last one only."""
    gate, roads = everywhere
    files = [short / name for name in ("a.sock", "p.sock", "admin.sock", "takeover.sock")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o660, 0o660, 0o600, 0o600]
    inodes = [file.stat().st_ino for file in files]
    last = gate
    for workers in (3, 1, 4):
        new = succeed(last, workers=workers)
        assert last.wait() == 0
        assert addresses(new) == addresses(last)
        assert [file.stat().st_ino for file in files] == inodes
        assert [road.request(READ) for road in roads] == [200] * len(roads)
        assert [road.request(UPDATE) for road in roads] == [UPDATE.status] * len(roads)
        assert new.metrics()["portcullis_journal_usable"] == 1
        last = new
    last.stop()
    assert not any(file.exists() for file in files)
    starts = [record["detail"] for record in gate.journal() if record["stage"] == "start"]
    assert len(set(starts)) == 4


def test_takeover_under_load(everywhere, succeed, sandbox):
    """Not one request fails, whatever way it comes and however many workers there are; nothing is lost, nothing leaks."""
    gate, roads = everywhere
    last = gate
    with Load(roads) as load:
        load.wait_for(60)
        for workers in (4, 1, 3):
            new = succeed(last, start=False, workers=workers)
            new.launch()
            assert last.wait() == 0
            last.stop()
            last = new
            last.signal(signal.SIGHUP)
            load.wait_for(60)
    assert load.faults == load.wrong == [] and load.refused == 0
    assert_settled(gate, sandbox, load.changes())
    fresh = descriptors(last)
    with Load(roads) as load:
        load.wait_for(30)
    assert load.faults == load.wrong == [] and load.refused == 0
    wait_until(lambda: descriptors(last) <= fresh + 6, what="no more descriptors than pools keep")


def test_stop_under_load(make_gate, sandbox, short):
    """Whoever comes later is refused; every change has its outcome. A client that the kernel let in and the gate had not accepted yet when
    it closed its sockets finds the connection reset: one for each thread at most."""
    path = short / "a.sock"
    gate = make_gate(sandbox, config={"listen": ["127.0.0.1:0", f"unix:{path}"]})
    roads = [Road(address) for address in addresses(gate)]
    with Load(roads) as load:
        load.wait_for(100)
        gate.stop()
    assert len(load.faults) <= len(load.threads) and all("ConnectionReset" in fault for _, fault in load.faults)
    assert load.wrong == []
    assert_settled(gate, sandbox, sum(line["method"] == UPDATE.method for line in sandbox.ledger()))


def test_stop_answers_who_was_let_in(everywhere):
    """Clients that have connected and not asked yet are answered when they ask at once; others are not waited for."""
    gate, roads = everywhere
    with contextlib.ExitStack() as stack:
        connections = [(road, road.connect()) for road in roads]
        silent = stack.enter_context(roads[0].connect())
        wait_until(lambda: gate.metrics()["portcullis_connections_total"] == len(connections) + 1, what="the connections")
        gate.signal(signal.SIGTERM)
        wait_until(lambda: any(line["event"] == "stop" for line in gate.log()), what="the signal's effect")
        operations = [UPDATE, READ] * len(connections)
        assert [road.request(operation, connection) for (road, connection), operation in zip(connections, operations, strict=False)] \
            == [operation.status for operation in operations[:len(connections)]]
        assert silent.recv(1) == b""
    assert gate.wait() == 0


class Slow:
    """An upstream that answers everybody at once but a slow user agent: that one when told."""

    def __init__(self):
        self.release = threading.Event()

    def __call__(self, connection, received):
        if received.field("user-agent") == "slow":
            self.release.wait(PATIENCE)
        connection.sendall(answer(body=b"{}"))
        return True


@pytest.fixture
def slow(make_upstream, make_gate, short):
    script = Slow()
    upstream = make_upstream(script)
    gate = make_gate(upstream, config={"takeover": str(short / "takeover.sock")})
    yield gate, script, upstream
    script.release.set()


def accepts(gate):
    """Has the process a socket that listens at the gate's port?"""
    rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == gate.port}
    assert listening
    folder = pathlib.Path(f"/proc/{gate.process.pid}/fd")
    return any(os.readlink(file) in listening for file in folder.iterdir() if file.is_symlink())


def replace(gate, succeed, **changes):
    """Another gate in its place, the old one accepting nobody any more."""
    new = succeed(gate, **changes)
    wait_until(lambda: not accepts(gate), what="the old gate to let go of its sockets")
    return new


def slow_read(gate):
    return gate.request("GET", READ.target, READ.token, headers={"User-Agent": "slow"}).status


def change(gate):
    return gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)


def hold(pool, slow):
    """A read that the old gate is busy with."""
    gate, _, upstream = slow
    running = pool.submit(slow_read, gate)
    wait_until(lambda: upstream.received, what="the read at the upstream")
    return running


def test_changes_wait_for_the_journal(slow, succeed):
    """While the old gate is busy the new one serves reads at once; changes wait until the journal is free."""
    gate, script, _ = slow
    with ThreadPoolExecutor(2) as pool:
        running = hold(pool, slow)
        new = replace(gate, succeed)
        assert new.request("GET", READ.target, READ.token).status == 200
        waiting = pool.submit(change, new)
        time.sleep(0.3)
        assert not waiting.done() and gate.alive()
        script.release.set()
        assert running.result() == 200
        assert waiting.result().status == 200
    assert gate.wait() == 0
    assert [record["stage"] for record in new.exchanges()] == ["intent", "outcome"]


def test_changes_do_not_wait_for_ever(slow, succeed):
    gate, script, _ = slow
    with ThreadPoolExecutor(2) as pool:
        running = hold(pool, slow)
        new = replace(gate, succeed, takeover_wait_ms=400)
        began = time.monotonic()
        refused = change(new)
        assert refused.status == 503 and time.monotonic() - began < 5
        assert refused.json()["errors"][0]["code"] == "portcullis-journal-unavailable"
        assert change(new).status == 503, "at once now"
        assert new.request("GET", READ.target, READ.token).status == 200
        script.release.set()
        assert running.result() == 200
    assert gate.wait() == 0
    wait_until(lambda: change(new).status == 200, what="the journal in the new gate's hands")


def test_one_that_waits_may_leave(slow, succeed):
    """A client that leaves while its change waits: nothing is sent."""
    gate, script, upstream = slow
    with ThreadPoolExecutor(1) as pool:
        running = hold(pool, slow)
        new = replace(gate, succeed)
        body = json.dumps(UPDATE.body).encode()
        with new.connect() as connection:
            connection.sendall((f"{UPDATE.method} {UPDATE.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {UPDATE.token}\r\n"
                                f"Content-Type: application/vnd.api+json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert new.request("GET", READ.target, READ.token).status == 200
        script.release.set()
        assert running.result() == 200
    assert gate.wait() == 0
    assert change(new).status == 200
    assert [received.method for received in upstream.received].count(UPDATE.method) == 1


def test_idle_connections_are_closed_by_the_old_one(slow, succeed):
    gate, script, _ = slow
    with gate.connect() as idle:
        idle.sendall(f"GET {READ.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {READ.token}\r\n\r\n".encode())
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        succeed(gate)
        while idle.recv(65536):
            pass
    assert gate.wait() == 0


def test_one_that_cannot_start_changes_nothing(everywhere, succeed):
    """The old gate goes on, and the next one can take over."""
    gate, roads = everywhere
    broken = succeed(gate, start=False, access_log="/nowhere/access")
    broken.launch()
    assert broken.wait() != 0
    broken.checked = True
    assert "access_log" in broken.stderr()
    wait_until(lambda: any("did not come to serve" in line["detail"] for line in gate.log()), what="the old gate's word on it")
    assert [road.request(UPDATE) for road in roads] == [UPDATE.status] * len(roads)
    new = succeed(gate, access_log=gate.access_file.name)
    assert gate.wait() == 0
    assert [road.request(UPDATE) for road in roads] == [UPDATE.status] * len(roads)
    new.stop()


def test_other_addresses(make_gate, sandbox, short, succeed):
    """What is new is bound, what is gone is closed, and said."""
    gate = make_gate(sandbox, config={"listen": ["127.0.0.1:0", f"unix:{short}/a.sock"], "takeover": str(short / "takeover.sock")})
    new = succeed(gate, listen=["127.0.0.1:0", "127.0.0.1:0", f"unix:{short}/b.sock"])
    assert gate.wait() == 0
    first, second, third = addresses(new)
    assert first == addresses(gate)[0] and second != first and third == f"unix:{short}/b.sock"
    assert [Road(address).request(READ) for address in (first, second, third)] == [200] * 3
    assert any(f"unix:{short}/a.sock is not listened at any more" in line["detail"] for line in new.log())


def test_what_is_no_gate(make_gate, sandbox, short):
    """A socket of another kind at the path is an error, one that is left over is replaced."""
    path = short / "takeover.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        gate = make_gate(sandbox, config={"takeover": str(path)}, start=False)
        gate.launch()
        assert gate.wait() != 0
        gate.checked = True
        assert str(path) in gate.stderr()
    assert path.exists()
    gate.start()
    assert gate.request("GET", READ.target, READ.token).status == 200
    gate.kill()
    gate.start()
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_no_gate_at_the_other_end(make_gate, sandbox, short):
    """Somebody who answers, but not as a gate does."""
    path = short / "takeover.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(path))
        other.listen(1)
        gate = make_gate(sandbox, config={"takeover": str(path)}, start=False)
        gate.launch()
        connection, _ = other.accept()
        with connection:
            connection.send(b"hello")
            assert gate.wait() != 0
    gate.checked = True
    assert "does not speak our version" in gate.stderr()


def hand_over(other, *kinds):
    """Plays the old gate: its own socket, the end of the list, and messages of these kinds; then it is gone."""
    with contextlib.closing(other.accept()[0]) as connection:
        for kind in (2, 3, *kinds):
            with_it = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", other.fileno()))] if kind == 2 else []
            connection.sendmsg([struct.pack("III300s", 1, kind, 0, b"")], with_it)


def test_an_old_gate_that_waits_no_longer(make_gate, sandbox, short):
    """It said that it goes on, so the new one must not serve beside it; one that ended without a word has nobody but the new one."""
    path = short / "takeover.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(path))
        other.listen(1)
        gate = make_gate(sandbox, config={"takeover": str(path)}, start=False)
        gate.launch()
        hand_over(other, 5)
        assert gate.wait() != 0
        gate.checked = True
        assert "took too long" in gate.stderr()
        assert path.exists(), "it is the other's"
        gate.launch()
        hand_over(other)
        wait_until(lambda: any("ended before it was told to" in line["detail"] for line in gate.log()), what="a gate that serves")
        assert gate.alive()


def ask(path):
    """Asks as a new gate does, takes nothing of what it gets."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(PATIENCE)
    connection.connect(str(path))
    return connection


def test_one_at_a_time(slow, succeed, short):
    gate, _, _ = slow
    with ask(short / "takeover.sock") as first:
        assert first.recv(4096)
        second = succeed(gate, start=False)
        second.launch()
        assert second.wait() != 0
        second.checked = True
        assert "another gate is taking over already" in second.stderr()
        assert gate.request("GET", READ.target, READ.token).status == 200
    wait_until(lambda: any("did not come to serve" in line["detail"] for line in gate.log()), what="the end of the first")
    succeed(gate)
    assert gate.wait() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_other_users_get_nothing(slow, short):
    gate, _, _ = slow
    path = short / "takeover.sock"
    path.chmod(0o666)
    for folder in [short, *[parent for parent in short.parents if parent.stat().st_uid == 0 and parent.name.startswith(("pytest-", "popen-"))]]:
        folder.chmod(0o755)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(Exception):
            os.setuid(65534)
            os.write(writer, b"got:" + ask(path).recv(4096)[:20])
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"got:"
    os.close(reader)
    wait_until(lambda: any("of another user" in line["detail"] for line in gate.log()), what="the word on it")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_gates_that_were_root(make_gate, sandbox, short, succeed, tmp_path):
    """The old gate is another user by the time that it hands the sockets over."""
    for folder in [short, tmp_path, *[parent for parent in tmp_path.parents if parent.name.startswith(("pytest-", "popen-"))]]:
        folder.chmod(0o777)
    gate = make_gate(sandbox, config={"process": {"user": "nobody"}, "listen": ["127.0.0.1:0", f"unix:{short}/a.sock"], "access_log": "-",
                                      "takeover": str(short / "takeover.sock")})
    roads = [Road(address) for address in addresses(gate)]
    for _ in range(2):
        new = succeed(gate)
        assert gate.wait() == 0
        assert [road.request(UPDATE) for road in roads] == [UPDATE.status] * 2
        gate = new
    gate.stop()
    assert list(short.iterdir()) == []


def test_a_stop_while_one_is_taking_over(slow, short):
    """The files stay with whoever may be serving."""
    gate, _, _ = slow
    path = short / "takeover.sock"
    with ask(path) as connection:
        assert connection.recv(4096)
        gate.stop()
    assert path.exists()
    assert json_lines(gate.access_file) == []
