"""Room for connections: exactly as many as the setting says, and what becomes of others; and descriptors that run out."""

import os
import pathlib
import resource
import select
import time

import pytest

from checks import assert_error
from processes import PATIENCE, wait_until
from test_connections import GOOD, LAST, statuses
from test_limits import ADMIN, read_answer
from world import READ, TOKENS


def ask(connection):
    connection.sendall(GOOD)
    return statuses(connection.recv(65536))


def served(gate):
    try:
        return statuses(gate.raw(LAST, timeout=5)) == [200]
    except OSError:
        return False


# How many in all.

def test_exactly_as_many_as_the_setting_says(make_gate, sandbox):
    """Over all workers; every other one gets 503 at once, and room that is left is taken again."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 4, "limits": {"connections": 8}})
    connections = [gate.connect() for _ in range(40)]
    try:
        refused = wait_until(lambda: len(found := select.select(connections, [], [], 1)[0]) == 32 and found, what="32 refusals")
        for connection in refused:
            got = read_answer(connection)
            assert_error(got, 503, "overloaded")
            assert (got.field("Retry-After"), got.field("Connection")) == ("1", "close")
        inside = [connection for connection in connections if connection not in refused]
        for _ in range(2):
            assert [ask(connection) for connection in inside] == [[200]] * 8
        assert gate.metrics()['portcullis_connections_refused_total{reason="total"}'] == 32
        inside[0].close()
        wait_until(lambda: served(gate), what="room for another")
        assert [ask(connection) for connection in inside[1:]] == [[200]] * 7
    finally:
        for connection in connections:
            connection.close()
    assert {line["rule"] for line in gate.access_log(48) if line["status"] == 503} == {"limits.connections"}


def test_a_crowd_that_does_not_leave(make_gate, sandbox):
    """Of those that are told and stay, a worker holds 64; others wait in the kernel until these have left. Those inside are served."""
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"connections": 2, "drain_timeout_ms": 5000}})
    inside = [gate.connect() for _ in range(2)]
    assert [ask(connection) for connection in inside] == [[200]] * 2
    crowd = [gate.connect() for _ in range(100)]

    def told():
        return select.select(crowd, [], [], 0.2)[0]

    first = wait_until(lambda: len(found := told()) >= 64 and found, what="64 that are told")
    assert ask(inside[0]) == [200]
    assert len(told()) == 64
    for connection in first:
        connection.close()
        crowd.remove(connection)
    wait_until(lambda: len(told()) == 36, what="the others to be told")
    for connection in inside + crowd:
        connection.close()
    wait_until(lambda: served(gate), what="room for others")


def test_a_setting_beyond_what_the_process_may_have(make_gate, sandbox):
    """It is said at the start, and the bound that holds is the one that was said."""
    gate = make_gate(sandbox, config={"workers": 1, "upstream": {"connections": 8}}, start=False)
    command = gate.command
    gate.command = lambda: ["prlimit", "--nofile=200:200", "--", *command()]
    gate.start()
    [said] = [line["detail"] for line in gate.log() if line["event"] == "start" and "RLIMIT_NOFILE" in line["detail"]]
    bound = int(said.split("RLIMIT_NOFILE): ")[1].split(" ")[0])
    assert 20 < bound < 200
    connections = [gate.connect() for _ in range(bound + 10)]
    refused = wait_until(lambda: len(found := select.select(connections, [], [], 1)[0]) == 10 and found, what="the refusals")
    assert [read_answer(connection).status for connection in refused] == [503] * 10
    for connection in connections:
        connection.close()


# Descriptors.

def descriptors(gate):
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


def os_limit(pid, soft, hard):
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def events(gate, name="accept"):
    return [line["detail"] for line in gate.log() if line["event"] == name]


@pytest.fixture
def starved(make_gate, sandbox):
    """A gate of two workers that has a connection to the upstream and then may open nothing more; with some clients that are connected."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 2})
    inside = [gate.connect() for _ in range(8)]
    for connection in inside:
        assert ask(connection) == [200]
    soft, hard = resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE)
    # Numbers in use are no obstacle: only a new descriptor has to be below the limit.
    highest = max(int(number) for number in os.listdir(f"/proc/{gate.process.pid}/fd"))
    os_limit(gate.process.pid, highest + 1, hard)
    holes = highest + 1 - descriptors(gate)
    yield gate, inside, holes, lambda: os_limit(gate.process.pid, soft, hard)
    os_limit(gate.process.pid, soft, hard)


def cpu_seconds(gate):
    fields = pathlib.Path(f"/proc/{gate.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_accepting_pauses_and_resumes(starved, sanitizer):
    """One line when it begins and one when it is over, whatever comes in between; those inside are served, nothing spins, and in the end
    everybody is."""
    gate, inside, holes, more = starved
    outside = [gate.connect() for _ in range(holes + 40)]
    wait_until(lambda: events(gate), what="a word on it")
    spent, began = cpu_seconds(gate), time.monotonic()
    while time.monotonic() - began < 1.5:
        assert all(ask(connection) == [200] for connection in inside)
        time.sleep(0.05)
    if not sanitizer:
        assert cpu_seconds(gate) - spent < 0.75 * 1.5, "the gate spins"
    [line] = events(gate)
    assert "Too many open files" in line
    more()
    # Not earlier: those who came in last would be told, rightly, that no connection to the upstream can be opened.
    for connection in outside:
        connection.sendall(LAST)
    for connection in outside:
        assert read_answer(connection).status == 200
    wait_until(lambda: len(events(gate)) == 2, what="a word on its end")
    assert events(gate)[1] == "connections are accepted again"
    assert gate.metrics()["portcullis_accept_pauses_total"] == 1


def test_no_descriptor_for_the_upstream(make_gate, sandbox):
    """503, and the gate goes on; a change is recorded as not sent."""
    gate = make_gate(sandbox, config={"workers": 1, "upstream": {"idle_timeout_ms": 50}})
    with gate.connect() as first, gate.connect() as second:
        for connection in (first, second):
            assert ask(connection) == [200]
        pid = gate.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        wait_until(lambda: not upstream_connections(gate, sandbox), what="the end of the idle connection")
        os_limit(pid, lowest_free(pid), hard)
        first.sendall(GOOD)
        got = read_one(first)
        assert b"portcullis-overloaded" in got and b"retry-after: 1" in got.lower(), got
        second.sendall(GOOD)
        assert statuses(read_one(second)) == [503]
        os_limit(pid, soft, hard)
        wait_until(lambda: ask(first) == [200], what="a connection to the upstream")
    assert gate.request("GET", READ.target, TOKENS["viewer"]).status == 200


def read_one(connection):
    """One answer with a length, whole."""
    received = b""
    while not received.endswith(b"]}"):
        received += connection.recv(65536)
    return received


def lowest_free(pid):
    """The limit at which a process can open nothing: the lowest number that is free."""
    used = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(used) + 1) if number not in used)


def upstream_connections(gate, sandbox):
    port = f":{sandbox.port:04X} "
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {line.split()[9] for line in lines if port in f"{line.split()[2]} " and line.split()[3] == "01"}
    own = {os.readlink(f"/proc/{gate.process.pid}/fd/{number}") for number in os.listdir(f"/proc/{gate.process.pid}/fd")}
    return [inode for inode in inodes if f"socket:[{inode}]" in own]


def test_over_tls_one_more_is_closed(make_gate, sandbox, certificates):
    """Before a handshake nothing can be told; those inside are served, and there is room again when one has left."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 1, "limits": {"connections": 2}}, certificate=certificates.good)
    inside = [gate.connect() for _ in range(2)]
    assert [ask(connection) for connection in inside] == [[200]] * 2
    with pytest.raises(OSError):
        gate.connect()
    assert ask(inside[0]) == [200]
    assert gate.metrics()['portcullis_connections_refused_total{reason="total"}'] == 1
    inside.pop().close()

    def has_room():
        try:
            with gate.connect() as another:
                return ask(another) == [200]
        except OSError:
            return False

    wait_until(has_room, what="room for another")
    inside[0].close()
