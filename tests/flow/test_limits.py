"""Bounds on what one client may do: how many requests on a connection, how slowly it may send and read, how long an exchange may take, how
much memory it may make the gate hold. Who breaks one is answered or cut at once, and nobody else notices."""

import json
import select
import socket
import time

import pytest

from checks import assert_error, records_of, request_id
from processes import PATIENCE, Answer, wait_until
from test_connections import BODY, GOOD, LAST, message, statuses
from upstreams import answer
from world import READ, UPDATE

MIB = 1024 * 1024
ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


def begin(gate, length=len(BODY)):
    """A connection with a change on it whose body is still to come."""
    connection = gate.connect()
    connection.sendall(message("PATCH", UPDATE.target, UPDATE.token, "Content-Type: application/json", f"Content-Length: {length}"))
    return connection


def read_answer(connection):
    """The one answer that a connection closes with."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    head, _, body = received.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return Answer(int(line.split(" ")[1]), [field.split(": ", 1) for field in fields], body)


def assert_good(gate):
    """Others are served."""
    assert gate.request("GET", READ.target, READ.token).status == 200


def slow_clients(gate):
    return gate.metrics()["portcullis_slow_clients_total"]


# How many.

@pytest.mark.parametrize("pipelined", [False, True])
def test_requests_on_a_connection(make_gate, sandbox, pipelined):
    """The last answer says that it is the last, and what was sent behind is not read."""
    gate = make_gate(sandbox, config={"limits": {"requests_per_connection": 3}})
    with gate.connect() as connection:
        received = b""
        if pipelined:
            connection.sendall(GOOD * 5)
        while True:
            if not pipelined and len(statuses(received)) < 3 and received.endswith(b"}}" if received else b""):
                connection.sendall(GOOD)
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    heads = [part.partition(b"\r\n\r\n")[0].lower() for part in received.split(b"HTTP/1.1 ")[1:]]
    assert [head[:3] for head in heads] == [b"200"] * 3
    assert [b"connection: close" in head for head in heads] == [False, False, True]
    assert len(sandbox.ledger()) == 3
    assert_good(gate)


def test_no_bound_on_requests(make_gate, sandbox):
    gate = make_gate(sandbox, config={"limits": {"requests_per_connection": 0}})
    assert statuses(gate.raw(GOOD * 5 + LAST)) == [200] * 6


# How slowly.

def test_a_body_that_drips(make_gate, sandbox):
    """Faster than any time-out, and still too slow: 408, and the refusal of a known principal's change is in the journal."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 1, "limits": {"body_bytes_per_s": 1000, "rate_grace_ms": 300}})
    with begin(gate) as connection:
        connection.settimeout(0.05)
        began = time.monotonic()
        received = b""
        for byte in BODY:
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(65536, socket.MSG_PEEK)
                break
            except TimeoutError:
                assert time.monotonic() - began < 10
        assert received, "the body was taken"
        connection.settimeout(20)
        got = read_answer(connection)
    assert_error(got, 408, "request-timeout")
    assert got.field("Connection") == "close"
    [record] = records_of(gate, request_id(got), ["refused"])
    assert (record["status"], record["rule"]) == (408, "deadline")
    assert_good(gate)
    assert slow_clients(gate) == 1
    assert [line["method"] for line in sandbox.ledger()] == ["GET"]


@pytest.mark.parametrize("rate", [0, 100])
def test_a_body_that_is_fast_enough(make_gate, sandbox, rate):
    """Slow, but not below the rate, or where no rate is asked for."""
    gate = make_gate(sandbox, config={"limits": {"body_bytes_per_s": rate, "rate_grace_ms": 100}})
    body = BODY + b" " * (400 - len(BODY))
    with begin(gate, len(body)) as connection:
        for at in range(0, len(body), 20):
            connection.sendall(body[at:at + 20])
            time.sleep(0.06)
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).status == 200


def endless(ended):
    def script(connection, received):
        connection.sendall(answer(media_type="text/plain", body=b"", length=False, fields=[("Transfer-Encoding", "chunked")]))
        try:
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            ended.append(True)

    return script


@pytest.mark.parametrize("tls", [False, True])
def test_a_reader_that_takes_a_byte_now_and_then(make_gate, make_upstream, certificates, tls):
    """Progress alone is not enough."""
    ended = []
    upstream = make_upstream(endless(ended))
    gate = make_gate(upstream, config={**ADMIN, "workers": 1, "limits": {"answer_bytes_per_s": 100000, "rate_grace_ms": 300}},
                     **({"certificate": certificates.good} if tls else {}))
    with gate.connect(receive_buffer=4096) as connection:
        connection.sendall(GOOD)
        deadline = time.monotonic() + 20
        while not ended and time.monotonic() < deadline:
            assert connection.recv(1)
            time.sleep(0.02)
    assert ended
    [line] = gate.access_log(1)
    assert (line["status"], line["error"]) == (200, "the client took its answer too slowly")
    assert slow_clients(gate) == 1


def test_a_reader_that_is_fast_enough(make_gate, make_upstream):
    """An answer that lies in the kernel's buffers, megabytes of it: for seconds the gate can write nothing more, but what counts is what the
    client has."""
    body = bytes(range(256)) * (16 * MIB // 256)
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(media_type="text/plain", body=body)))
    gate = make_gate(upstream, config={"limits": {"answer_bytes_per_s": 150000, "rate_grace_ms": 500, "write_timeout_ms": 700}})
    with gate.connect(receive_buffer=65536) as connection:
        connection.sendall(LAST)
        received, began = 0, time.monotonic()
        while piece := connection.recv(20000):
            received += len(piece)
            if time.monotonic() - began < 2.5:
                time.sleep(0.05)
    assert received > len(body)


def test_a_held_answer_to_a_slow_reader(make_gate, make_upstream):
    """The same where the answer was collected first: the exchange is long over."""
    body = json.dumps({"data": ["x" * 1000] * 6000}).encode()
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=body)) or True)
    gate = make_gate(upstream, config={**ADMIN, "limits": {"answer_bytes_per_s": 1000000, "rate_grace_ms": 300}})
    with gate.connect(receive_buffer=4096) as connection:
        connection.sendall(GOOD)
        assert connection.recv(1)
        wait_until(lambda: slow_clients(gate) == 1, what="the slow client's end")
    assert_good(gate)


# How long in all.

def test_an_exchange_that_takes_too_long(make_gate, make_upstream):
    """A read is answered 504, and a change, too, with its outcome unknown in the journal, for all that the upstream may take longer."""
    upstream = make_upstream(lambda connection, received: wait_until(lambda: closed(connection)))
    gate = make_gate(upstream, config={"limits": {"exchange_timeout_ms": 500}})
    assert_error(gate.request("GET", READ.target, READ.token), 504, "upstream-timeout")
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert_error(got, 504, "upstream-timeout")
    assert records_of(gate, request_id(got), ["intent", "outcome"])[1]["result"] == "unknown"


def closed(connection):
    connection.settimeout(0.1)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def test_an_answer_that_takes_too_long(make_gate, make_upstream):
    """Once it has begun it can only be cut; a paused upstream does not make it longer."""
    ended = []
    gate = make_gate(make_upstream(endless(ended)), config={"limits": {"exchange_timeout_ms": 700, "write_timeout_ms": 60000}})
    with gate.connect(receive_buffer=4096) as connection:
        connection.sendall(GOOD)
        wait_until(lambda: ended, what="the upstream's connection to be closed")
        [line] = gate.access_log(1)
        assert "exchange" in line["error"]
        with pytest.raises(ConnectionError):
            while connection.recv(MIB):
                pass


def test_a_request_that_takes_too_long(make_gate, sandbox):
    """The same deadline holds while the request comes."""
    gate = make_gate(sandbox, config={"limits": {"exchange_timeout_ms": 300}})
    with begin(gate) as connection:
        assert_error(read_answer(connection), 408, "request-timeout")
    assert sandbox.ledger() == []


# How much memory.

def test_unfinished_requests_are_held_within_a_bound(make_gate, sandbox):
    """All that clients have sent and not finished counts against limits.unfinished_bytes: one more is refused, those who need little are served,
    and when the others have gone there is room again."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 1, "limits": {"unfinished_bytes": MIB, "body_bytes": 4 * MIB}})
    others = [begin(gate, MIB) for _ in range(2)]
    others[0].sendall(b" " * (MIB - 100 * 1024))
    others[1].sendall(b" " * (200 * 1024))
    refused, _, _ = select.select(others, [], [], PATIENCE)
    got = read_answer(refused[0])
    assert_error(got, 503, "overloaded")
    assert (got.field("Retry-After"), got.field("Connection")) == ("1", "close")
    [record] = records_of(gate, request_id(got), ["refused"])
    assert record["rule"] == "limits.unfinished_bytes"
    assert gate.metrics()["portcullis_shed_requests_total"] == 1
    assert_good(gate)
    for other in others:
        other.close()

    def has_room():
        with begin(gate, 400 * 1024) as connection:
            connection.sendall(BODY + b" " * (400 * 1024 - len(BODY)))
            connection.shutdown(socket.SHUT_WR)
            return read_answer(connection).status == 200

    wait_until(has_room, what="room for others")


def test_large_unfinished_requests_keep_no_small_ones_out(make_gate, sandbox):
    """Whoever holds the most goes first: with all room taken by others, a change whose body comes in two pieces is served."""
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"unfinished_bytes": MIB, "body_bytes": 4 * MIB}})
    others = [begin(gate, MIB) for _ in range(4)]
    for other in others:
        other.sendall(b" " * (254 * 1024))
    for _ in range(8):  # a turn of the only worker's loop each: it has read all of that then
        assert_good(gate)
    for _ in range(3):
        with begin(gate, 40 * 1024) as connection:
            connection.sendall(BODY + b" " * (20 * 1024 - len(BODY)))
            assert not select.select([connection], [], [], 0.1)[0], read_answer(connection)
            connection.sendall(b" " * (20 * 1024))
            connection.shutdown(socket.SHUT_WR)
            assert read_answer(connection).status == 200
    refused, _, _ = select.select(others, [], [], PATIENCE)
    assert_error(read_answer(refused[0]), 503, "overloaded")
    for other in others:
        other.close()


def test_small_chunks_cost_no_more_than_large_ones(make_gate, sandbox, sanitizer):
    """Framing is not held: a body of one-byte chunks takes the memory of its content."""
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"body_bytes": 8 * MIB}})
    assert_good(gate)
    before = gate.rss()
    with gate.connect() as connection:
        connection.sendall(message("PATCH", UPDATE.target, UPDATE.token, "Content-Type: application/json", "Transfer-Encoding: chunked"))
        for byte in BODY:
            connection.sendall(b"1\r\n%c\r\n" % byte)
        for _ in range(64):
            connection.sendall(b"1\r\n \r\n" * (64 * 1024))
        grown = gate.rss() - before
        connection.sendall(b"0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).status == 200
    if not sanitizer:
        assert grown < 8 * MIB, f"the gate grew by {grown // 1024} KiB for 4096 KiB of content"
