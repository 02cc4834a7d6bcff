"""What clients do with a connection: many requests, pipelined ones, bytes one by one, half-closed, held open, not read from."""

import json
import re
import threading

import pytest

from checks import fields_of
from processes import wait_until
from upstreams import answer
from world import DELETE, READ, TOKENS, UPDATE


def message(method, target, token, *lines, body=None):
    head = [f"{method} {target} HTTP/1.1", "Host: gate", f"Authorization: Token {token}", *lines]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + (body or b"")


BODY = json.dumps(UPDATE.body).encode()
GOOD = message("GET", READ.target, READ.token)
LAST = message("GET", READ.target, READ.token, "Connection: close")


def statuses(received):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def test_pipelined(gate, sandbox):
    """Answers come in the order of the requests, whatever becomes of each."""
    received = gate.raw(GOOD + message("PATCH", UPDATE.target, UPDATE.token, body=BODY) +
                        message("DELETE", DELETE.target, TOKENS["viewer"]) + message("PATCH", UPDATE.target, "stranger", body=BODY) +
                        message("PATCH", UPDATE.target, UPDATE.token, body=b"{") + LAST)
    assert statuses(received) == [200, 200, 403, 401, 400, 200]
    assert [line["method"] for line in sandbox.ledger()] == ["GET", "PATCH", "GET"]
    assert [line["status"] for line in gate.access_log(6)] == [200, 200, 403, 401, 400, 200]


def test_what_follows_a_close_is_not_read(gate, sandbox):
    """After "Connection: close" comes no request any more."""
    received = gate.raw(LAST + message("DELETE", DELETE.target, DELETE.token))
    assert statuses(received) == [200]
    assert [line["method"] for line in sandbox.ledger()] == ["GET"]


def test_what_follows_a_malformed_request_is_not_read(gate, sandbox):
    received = gate.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n" + message("DELETE", DELETE.target, DELETE.token))
    assert statuses(received) == [400]
    assert sandbox.ledger() == []


def test_byte_by_byte(gate, sandbox):
    with gate.connect() as connection:
        for byte in message("PATCH", UPDATE.target, UPDATE.token, "Connection: close", body=BODY):
            connection.sendall(bytes([byte]))
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert statuses(received) == [200]
    [line] = sandbox.ledger()
    assert json.loads(line["body"]) == UPDATE.body


def test_many_on_one_connection(gate):
    with gate.connect() as connection:
        for number in range(1, 301):
            connection.sendall(GOOD)
            received = b""
            while not received.endswith(b"}}"):
                received += connection.recv(65536)
            assert statuses(received) == [200], number
    assert len({line["request_id"] for line in gate.access_log(300)}) == 300


def test_half_closed(gate):
    """A client that has said all may close its side and still gets its answers."""
    with gate.connect() as connection:
        connection.sendall(GOOD + message("PATCH", UPDATE.target, UPDATE.token, body=BODY))
        connection.shutdown(1)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert statuses(received) == [200, 200]


def test_expect_continue(gate, sandbox):
    """A client that waits for leave to send its body gets it, and then its answer."""
    data = message("PATCH", UPDATE.target, UPDATE.token, "Expect: 100-continue", "Connection: close", body=BODY)
    with gate.connect() as connection:
        connection.sendall(data[:-len(BODY)])
        received = connection.recv(65536)
        assert statuses(received) == [100]
        connection.sendall(BODY)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert statuses(received) == [200]
    assert fields_of(sandbox.ledger()[0], "expect") == []


def test_an_idle_connection_is_closed(make_gate, sandbox):
    gate = make_gate(sandbox, config={"limits": {"idle_timeout_ms": 200}})
    with gate.connect() as connection:
        connection.sendall(GOOD)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert statuses(received) == [200]


def test_a_bound_on_connections(make_gate, sandbox):
    """More clients than allowed wait for their turn or are turned away; those inside are served, and after them others are."""
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"connections": 4}})
    inside = [gate.connect() for _ in range(4)]
    try:
        for connection in inside:
            connection.sendall(GOOD)
            assert statuses(connection.recv(65536)) == [200]
        outside = gate.connect(timeout=0.5)
        try:
            outside.sendall(GOOD)
            assert statuses(outside.recv(65536)) in ([], [503])
        except (TimeoutError, ConnectionError):
            pass
        outside.close()
        inside[0].sendall(GOOD)
        assert statuses(inside[0].recv(65536)) == [200]
    finally:
        for connection in inside:
            connection.close()

    def served():
        try:
            return statuses(gate.raw(LAST, timeout=5)) == [200]
        except OSError:
            return False

    wait_until(served, what="room for others")


def test_a_client_that_does_not_read_is_let_go(make_gate, make_upstream):
    """It asked for much, takes nothing, and after a while its connection is closed and the upstream's with it."""
    ended = []

    def script(connection, received):
        connection.sendall(answer(media_type="text/plain", body=b"", length=False, fields=[("Transfer-Encoding", "chunked")]))
        try:
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            ended.append(True)

    gate = make_gate(make_upstream(script), config={"limits": {"write_timeout_ms": 300}})
    with gate.connect(receive_buffer=4096) as connection:
        connection.sendall(GOOD)
        wait_until(lambda: ended, what="the end of it")
    [line] = gate.access_log(1)
    assert line["status"] == 200


@pytest.mark.parametrize("cut", [1, 10, 60, -30, -1])
def test_clients_that_leave_in_the_middle_of_a_request(gate, sandbox, cut):
    data = message("PATCH", UPDATE.target, UPDATE.token, body=BODY)
    for _ in range(5):
        with gate.connect() as connection:
            connection.sendall(data[:cut])
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert [line["method"] for line in sandbox.ledger()] == ["GET"]
    assert gate.exchanges("intent") == []


def test_pipelined_requests_are_bounded(make_gate, make_upstream, sanitizer):
    """A flood behind a request that takes long is held back, not held in memory."""
    release = threading.Event()

    def script(connection, received):
        release.wait(30)
        connection.sendall(answer(body=b"{}"))
        return True

    gate = make_gate(make_upstream(script), config={"workers": 1})
    assert gate.request("GET", READ.target, "stranger").status == 401
    before = gate.rss()
    flood = GOOD * 1000
    sent = 0
    with gate.connect(timeout=0.5) as connection:
        try:
            while sent < 64 * 1024 * 1024:
                sent += connection.send(flood)
        except (TimeoutError, ConnectionError):
            pass
        after = gate.rss()
        release.set()
    assert sent < 32 * 1024 * 1024, "the flood was taken in"
    if not sanitizer:
        assert after - before < 8 * 1024 * 1024, f"the gate grew by {(after - before) // 1024} KiB"
