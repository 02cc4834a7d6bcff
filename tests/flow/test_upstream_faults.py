"""An upstream that misbehaves, as a table: what it does, what the client is told, what the journal says, how often the request was sent.

A read may be sent a second time where that is safe; a mutation never."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

import pytest

from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from upstreams import answer, reset
from world import CREATE, DELETE, READ, TOKENS, UPDATE

TIMEOUTS = {"upstream": {"connect_timeout_ms": 2000, "first_byte_timeout_ms": 700, "total_timeout_ms": 1500}}


def sends(data, then="close"):
    """Sends the bytes; then closes, keeps the connection, or hangs until the gate has had enough."""

    def script(connection, received):
        connection.sendall(data)
        if then == "reset":
            reset(connection)
        if then == "hang":
            while connection.recv(65536):
                pass
        return then == "keep"

    return script


def resets(connection, received):
    reset(connection)


def drips(connection, received):
    """A byte now and then, well before every time-out of a single wait, and never an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b".")
        time.sleep(0.05)


@dataclass
class Fault:
    name: str
    script: Callable
    status: int
    code: str
    said: bool = False  # a whole header with a status came, so that the upstream's word on a mutation is known


GOOD = answer(body=b"{}")
FAULTS = [
    Fault("closes without an answer", sends(b""), 502, "upstream-closed"),
    Fault("resets without an answer", resets, 502, "upstream-closed"),
    Fault("closes within the status line", sends(b"HTTP/1.1 20"), 502, "upstream-closed"),
    Fault("closes within the header", sends(b"HTTP/1.1 200 OK\r\nContent-Type: app"), 502, "upstream-closed"),
    Fault("closes within a JSON body", sends(GOOD[:-1]), 502, "upstream-closed", said=True),
    Fault("closes within a chunk", sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"),
          502, "upstream-closed", said=True),
    Fault("closes before the last chunk", sends(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), 502, "upstream-closed", said=True),
    Fault("is no HTTP server", sends(b"220 mail ESMTP\r\n"), 502, "upstream-answer"),
    Fault("sends binary", sends(bytes(range(256)) * 4), 502, "upstream-answer"),
    Fault("status of two digits", sends(b"HTTP/1.1 20 OK\r\n\r\n"), 502, "upstream-answer"),
    Fault("status glued to letters", sends(b"HTTP/1.1 200abc OK\r\n\r\n"), 502, "upstream-answer"),
    Fault("status 999", sends(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), 502, "upstream-answer"),
    Fault("HTTP/2 in a status line", sends(b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"), 502, "upstream-answer"),
    Fault("two lengths", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("length with a sign", sends(b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("length and chunks", sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 502, "upstream-answer"),
    Fault("unknown coding", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("chunk size with a sign", sends(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n"),
          502, "upstream-answer", said=True),
    Fault("a folded field", sends(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("a NUL in a field", sends(b"HTTP/1.1 200 OK\r\nX-A: 1\x002\r\nContent-Length: 2\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("a space before the colon", sends(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}"), 502, "upstream-answer"),
    Fault("switches protocols", sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), 502, "upstream-answer"),
    Fault("a header without end", sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 200000), 502, "upstream-answer"),
    Fault("too many fields", sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 2000 + b"\r\n"), 502, "upstream-answer"),
    Fault("says nothing", sends(b"", then="hang"), 504, "upstream-timeout"),
    Fault("stops within the header", sends(b"HTTP/1.1 200 OK\r\nX-A", then="hang"), 504, "upstream-timeout"),
    Fault("stops within a JSON body", sends(GOOD[:-1], then="hang"), 504, "upstream-timeout", said=True),
    Fault("a JSON answer too large", sends(answer(body=b'{"data":"' + b"x" * 20000 + b'"}')), 502, "upstream-too-large", said=True),
    Fault("a JSON answer too large, in chunks", sends(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b" " * 4096 + b"\r\n" +
        (b"1000\r\n" + b" " * 4096 + b"\r\n") * 8), 502, "upstream-too-large", said=True),
]


@pytest.mark.parametrize("operation", [READ, UPDATE, DELETE, CREATE], ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault(make_gate, make_upstream, fault, operation):
    upstream = make_upstream(fault.script)
    gate = make_gate(upstream, config={"upstream": {**TIMEOUTS["upstream"], "json_bytes": 16384}})
    got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
    assert_error(got, fault.status, fault.code)
    identity = request_id(got)
    # A fresh connection was used: nothing of it says that the request was not carried out, so not even a read need be sent again.
    assert len(upstream.received) == 1 if operation.mutation else 1 <= len(upstream.received) <= 2
    records = records_of(gate, identity, ["intent", "outcome"] if operation.mutation else [])
    if operation.mutation and fault.said:
        assert (records[1]["status"], records[1]["upstream_status"]) == (fault.status, 200)
    elif operation.mutation:
        assert_unknown(records[1], fault.status)
    assert access_line(gate, identity)["status"] == fault.status


def assert_unknown(outcome, status):
    """The outcome says that nobody knows whether the mutation happened."""
    assert (outcome["status"], outcome["result"]) == (status, "unknown"), outcome
    assert "upstream_status" not in outcome


@pytest.mark.parametrize("operation", [READ, UPDATE], ids=str)
def test_connection_refused(make_gate, operation):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    gate = make_gate(f"http://127.0.0.1:{port}")
    got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
    assert_error(got, 502, "upstream-unreachable")
    records = records_of(gate, request_id(got), ["intent", "outcome"] if operation.mutation else [])
    if records:
        assert records[1]["result"] == "not-sent"
    assert any("upstream" in line["event"] for line in gate.log())


def test_name_that_does_not_resolve(make_gate):
    gate = make_gate("http://no-such-host.invalid:80", config=TIMEOUTS)
    got = gate.request("GET", READ.target, READ.token)
    assert got.status in (502, 504)


def test_drips_for_ever(make_gate, make_upstream):
    """The total deadline ends an answer that always goes on a little; it had begun, so it is cut, not changed."""
    gate = make_gate(make_upstream(drips), config=TIMEOUTS)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        gate.request("GET", READ.target, READ.token)
    [line] = gate.access_log()
    assert line["status"] == 200


@pytest.mark.parametrize("operation", [READ, UPDATE], ids=str)
def test_interim_answers_are_not_the_answer(make_gate, make_upstream, operation):
    """100 and 103 before the answer, which nobody asked for: the client gets the final answer or a 502, never another's."""

    def script(connection, received):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
                           answer(body=b'{"n":%d}' % len(upstream.received)))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream, config={"workers": 1})
    for number in (1, 2):
        got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
        assert (got.status, got.json()) == (200, {"n": number}) or assert_error(got, 502, "upstream-answer")


@pytest.mark.parametrize("surplus", [b"x", GOOD, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"], ids=["a byte", "an answer", "a forged one"])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_surplus_bytes_reach_nobody(make_gate, make_upstream, status, surplus):
    """What lies behind an answer is nobody's: the answer is not passed on, and the connection not used again."""
    bare = status[:3] in ("204", "304")
    first = answer(status, body=b"" if bare else b'{"n":1}', length=not bare)

    def script(connection, received):
        if received.connection == 1:
            connection.sendall(first + surplus)
        else:
            connection.sendall(answer(body=b'{"n":2}'))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream, config={"workers": 1})
    got = gate.request("GET", READ.target, READ.token)
    assert_error(got, 502, "upstream-answer")
    assert any("surplus" in line["detail"] for line in gate.log() if line["event"] == "upstream-answer")
    got = gate.request("GET", READ.target, READ.token)
    assert (got.status, got.json()) == (200, {"n": 2})
    assert upstream.received[-1].connection == 2


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stale_connection(make_gate, make_upstream, how):
    """The upstream drops a kept connection just when it is used again: a read is sent once more, a mutation is not."""

    def script(connection, received):
        if received.connection > 1 or len(upstream.received) == 1:
            connection.sendall(GOOD)
            return True
        if how == "reset":
            reset(connection)
        return False

    for operation, status, times in ((READ, 200, 2), (UPDATE, 502, 1), (DELETE, 502, 1)):
        upstream = make_upstream(script)
        gate = make_gate(upstream, config={"workers": 1})
        assert gate.request("GET", READ.target, TOKENS["editor"]).status == 200
        got = gate.request(operation.method, operation.target, TOKENS["editor"], body=operation.body)
        assert got.status == status, got
        assert len([request for request in upstream.received[1:] if request.method == operation.method]) == times
        if operation.mutation:
            assert_unknown(records_of(gate, request_id(got), ["intent", "outcome"])[1], status)


def test_connections_are_kept(make_gate, make_upstream):
    upstream = make_upstream(sends(GOOD, then="keep"))
    gate = make_gate(upstream, config={"workers": 1})
    for _ in range(20):
        assert gate.request("GET", READ.target, READ.token).status == 200
    assert upstream.connections == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_errors_of_the_upstream_are_passed_on(make_gate, make_upstream, status):
    """They are the API's word: status, body and the fields that say when to come again."""
    body = b'{"jsonapi":{"version":"1.0"},"errors":[{"status":"%d","detail":"theirs"}]}' % status
    upstream = make_upstream(sends(answer(f"{status} Theirs", body=body, fields=[("Retry-After", "7"), ("snyk-request-id", "abc")])))
    gate = make_gate(upstream)
    for operation in (READ, UPDATE):
        got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
        assert got.status == status
        assert got.json()["errors"][0]["detail"] == "theirs"
        assert (got.field("Retry-After"), got.field("snyk-request-id")) == ("7", "abc")
    [outcome] = gate.exchanges("outcome")
    assert outcome["status"] == status
    assert len(upstream.received) == 2


def test_outcome_names_the_upstreams_request(make_gate, make_upstream):
    upstream = make_upstream(sends(answer(body=b"{}", fields=[("snyk-request-id", "11112222-3333-4444-8555-666677778888")])))
    gate = make_gate(upstream)
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    [outcome] = gate.exchanges("outcome")
    assert "11112222-3333-4444-8555-666677778888" in outcome.values()


def test_client_that_leaves_does_not_stop_the_outcome(make_gate, make_upstream):
    """The mutation was forwarded: whatever the client does, its outcome is recorded."""
    release = threading.Event()

    def script(connection, received):
        release.wait(20)
        connection.sendall(answer(body=b"{}"))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream)
    connection = gate.connect()
    connection.sendall(f"DELETE {DELETE.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {DELETE.token}\r\n\r\n".encode())
    wait_until(lambda: upstream.received, what="the request at the upstream")
    connection.close()
    release.set()
    wait_until(lambda: gate.exchanges("outcome"), what="the outcome")
    [outcome] = gate.exchanges("outcome")
    assert outcome["status"] == 200


def test_a_bound_on_connections_and_the_queue(make_gate, make_upstream):
    """Beyond connections and queue the answer is 503 at once; those within get theirs."""
    release = threading.Event()

    def script(connection, received):
        release.wait(20)
        connection.sendall(GOOD)
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream, config={"workers": 1, "upstream": {"connections": 2, "queue": 3}})
    with ThreadPoolExecutor(12) as pool:
        running = [pool.submit(gate.request, "GET", READ.target, TOKENS["viewer"]) for _ in range(12)]
        wait_until(lambda: sum(future.done() for future in running) == 7, what="seven refusals")
        release.set()
        answers = [future.result() for future in running]
    assert sorted(got.status for got in answers) == [200] * 5 + [503] * 7
    for got in answers:
        if got.status == 503:
            assert_error(got, 503, "overloaded")
    assert upstream.connections == 2


def test_the_sandboxs_own_switches(gate, sandbox):
    """The faults that the sandbox offers for trying out reach a client through the gate as they should."""
    sandbox.fault({"status": 503}, count=1)
    assert gate.request("GET", READ.target, READ.token).status == 503
    assert gate.request("GET", READ.target, READ.token).status == 200

