"""An upstream that misbehaves, as a table (KINDS, which the README shows, and FAULTS): what it does, what the client is told, what the
journal says, how often the request was sent. A read may be sent a second time where that is safe; a mutation never."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

import pytest

from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from upstreams import answer, reset
from world import CREATE, DELETE, READ, TOKENS, UPDATE

TIMEOUTS = {"upstream": {"connect_timeout_ms": 300, "first_byte_timeout_ms": 300, "total_timeout_ms": 600}}


# What an upstream does with a connection once it has read a request.

def sends(data, then="close"):
    """Sends the bytes; then closes, resets, keeps the connection, closes its own side alone, or hangs until the gate has had enough."""

    def script(connection, received):
        connection.sendall(data)
        if then == "reset":
            reset(connection)
        if then == "half-close":
            connection.shutdown(socket.SHUT_WR)
        if then in ("hang", "half-close"):
            while connection.recv(65536):
                pass
        return then == "keep"

    return script


def drips(start, drop=b"."):
    """A byte now and then, well before every time-out of a single wait, and never an end."""

    def script(connection, received):
        connection.sendall(start)
        for _ in range(1000):
            connection.sendall(drop)
            time.sleep(0.05)

    return script


# Where an upstream stands: each gives a URL to reach it at, what it has received, and settings of the gate.

def plain(script):
    def stand(make_upstream, certificates, stack):
        upstream = make_upstream(script)
        return upstream.url, upstream.received, {}

    return stand


def tls(script, certificate="good"):
    def stand(make_upstream, certificates, stack):
        upstream = make_upstream(script, getattr(certificates, certificate))
        return upstream.url, upstream.received, {"ca_file": str(certificates.authority.file)}

    return stand


def listens(behave, scheme="http", backlog=64):
    """A socket whose every connection is given to `behave` before a byte was read."""

    def stand(make_upstream, certificates, stack):
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=backlog))

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                stack.callback(connection.close)
                threading.Thread(target=quietly, args=(behave, connection), daemon=True).start()

        if behave:
            threading.Thread(target=accept, daemon=True).start()
        stack.callback(lambda: listener.shutdown(socket.SHUT_RDWR))
        return f"{scheme}://localhost:{listener.getsockname()[1]}", [], {
            "addresses": ["127.0.0.1"], **({"ca_file": str(certificates.authority.file)} if scheme == "https" else {})}

    return stand


def quietly(behave, connection):
    try:
        behave(connection)
    except OSError:
        pass


def refused(make_upstream, certificates, stack):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}", [], {}


def black_hole(make_upstream, certificates, stack):
    """A listener whose queue is full: the kernel answers no more connections."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(4):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}", [], {}


def hang(connection):
    while connection.recv(65536):
        pass


def read_a_little(data):
    """Answers when it has a few bytes of the request, and reads the others later."""

    def behave(connection):
        connection.recv(10)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        hang(connection)

    return behave


def cut_off_tls(data):
    """Closes without TLS's word that it is the end."""

    def script(connection, received):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return script


@dataclass
class Fault:
    """`kind` is the row of the README's table; `said`, the status in a header that came whole before all went wrong."""
    kind: str
    name: str
    stand: Callable
    said: int = None


# What the client gets, read or change (200: the answer), and the `result` of a change's outcome (None: its status is known).
KINDS = {
    "refuses the connection": ((502, "upstream-unreachable"), "not-sent"),
    "does not answer the connection, or the TLS handshake": ((504, "upstream-timeout"), "not-sent"),
    "breaks off the TLS handshake": ((502, "upstream-unreachable"), "not-sent"),
    "has a certificate that is not to be trusted, or speaks no TLS": ((502, "upstream-untrusted"), "not-sent"),
    "closes or resets before its answer is whole": ((502, "upstream-closed"), "unknown"),
    "says nothing, stops in the middle, or drips for ever": ((504, "upstream-timeout"), "unknown"),
    "answers what is not HTTP as it must be": ((502, "upstream-answer"), "unknown"),
    "sends more than its answer": ((502, "upstream-answer"), "unknown"),
    "answers more JSON than may be held": ((502, "upstream-too-large"), "unknown"),
    "answers early, or closes its side behind the answer": ((200, None), None),
}

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = answer(body=b"{}")

CLOSES = "closes or resets before its answer is whole"
STOPS = "says nothing, stops in the middle, or drips for ever"
INVALID = "answers what is not HTTP as it must be"
SURPLUS = "sends more than its answer"
LARGE = "answers more JSON than may be held"
UNTRUSTED = "has a certificate that is not to be trusted, or speaks no TLS"
BROKEN_TLS = "breaks off the TLS handshake"
SILENT = "does not answer the connection, or the TLS handshake"
EARLY = "answers early, or closes its side behind the answer"

FAULTS = [
    Fault("refuses the connection", "refused", refused),
    Fault(SILENT, "black hole", black_hole),
    Fault(SILENT, "TLS: silence", listens(hang, "https")),
    Fault(BROKEN_TLS, "TLS: closes at once", listens(lambda connection: connection.close(), "https")),
    Fault(BROKEN_TLS, "TLS: resets behind the hello", listens(lambda connection: connection.recv(1) and reset(connection), "https")),
    Fault(UNTRUSTED, "TLS: another host's certificate", tls(sends(GOOD), "wrong_host")),
    Fault(UNTRUSTED, "TLS: an expired certificate", tls(sends(GOOD), "expired")),
    Fault(UNTRUSTED, "TLS: an unknown CA's certificate", tls(sends(GOOD), "unknown_ca")),
    Fault(UNTRUSTED, "TLS: none", listens(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") or hang(connection), "https")),

    Fault(CLOSES, "closes without an answer", plain(sends(b""))),
    Fault(CLOSES, "resets without an answer", plain(sends(b"", then="reset"))),
    Fault(CLOSES, "closes its side without an answer", plain(sends(b"", then="half-close"))),
    Fault(CLOSES, "closes within the status line", plain(sends(b"HTTP/1.1 20"))),
    Fault(CLOSES, "resets within the status line", plain(sends(b"HTTP/1.1 20", then="reset"))),
    Fault(CLOSES, "closes within the header", plain(sends(JSON[:-5]))),
    Fault(CLOSES, "resets within the header", plain(sends(JSON[:-5], then="reset"))),
    Fault(CLOSES, "closes within a JSON body", plain(sends(GOOD[:-1])), said=200),
    Fault(CLOSES, "closes its side within a JSON body", plain(sends(GOOD[:-1], then="half-close")), said=200),
    Fault(CLOSES, "closes within a chunk", plain(sends(CHUNKED + b"10\r\n{")), said=200),
    Fault(CLOSES, "closes before the last chunk", plain(sends(CHUNKED + b"2\r\n{}\r\n")), said=200),
    Fault(CLOSES, "closes within the trailers", plain(sends(CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n")), said=200),
    Fault(CLOSES, "TLS: closes without an answer", tls(sends(b""))),
    Fault(CLOSES, "TLS: closes within a JSON body", tls(sends(GOOD[:-1])), said=200),
    Fault(CLOSES, "TLS: cut off where the body may end", tls(cut_off_tls(JSON + b"Connection: close\r\n\r\n{}")), said=200),

    Fault(STOPS, "says nothing", plain(sends(b"", then="hang"))),
    Fault(STOPS, "stops within the header", plain(sends(JSON[:-5], then="hang"))),
    Fault(STOPS, "stops within a JSON body", plain(sends(GOOD[:-1], then="hang")), said=200),
    Fault(STOPS, "drips a header", plain(drips(OK + b"X-A: "))),
    Fault(STOPS, "drips a JSON body", plain(drips(JSON + b"Content-Length: 1000\r\n\r\n", b" ")), said=200),
    Fault(STOPS, "drips chunks", plain(drips(CHUNKED, b"1\r\n \r\n")), said=200),

    Fault(INVALID, "is no HTTP server", plain(sends(b"220 mail ESMTP\r\n"))),
    Fault(INVALID, "sends binary", plain(sends(bytes(range(256)) * 4))),
    Fault(INVALID, "status of two digits", plain(sends(b"HTTP/1.1 20 OK\r\n\r\n"))),
    Fault(INVALID, "status glued to letters", plain(sends(b"HTTP/1.1 200abc OK\r\n\r\n"))),
    Fault(INVALID, "status 999", plain(sends(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"))),
    Fault(INVALID, "HTTP/2 in a status line", plain(sends(b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"))),
    Fault(INVALID, "two lengths", plain(sends(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"))),
    Fault(INVALID, "the same length twice", plain(sends(OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"))),
    Fault(INVALID, "two lengths in one", plain(sends(OK + b"Content-Length: 2, 2\r\n\r\n{}"))),
    Fault(INVALID, "length with a sign", plain(sends(OK + b"Content-Length: +2\r\n\r\n{}"))),
    Fault(INVALID, "length and chunks", plain(sends(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))),
    Fault(INVALID, "no length on a connection that is to live", plain(sends(JSON + b"\r\n{}"))),
    Fault(INVALID, "unknown coding", plain(sends(OK + b"Transfer-Encoding: gzip\r\n\r\n{}"))),
    Fault(INVALID, "chunk size with a sign", plain(sends(CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n")), said=200),
    Fault(INVALID, "chunk longer than it says", plain(sends(CHUNKED + b"1\r\n{}\r\n0\r\n\r\n")), said=200),
    Fault(INVALID, "a length in the trailers", plain(sends(CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n")), said=200),
    Fault(INVALID, "a folded field", plain(sends(OK + b"X-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}"))),
    Fault(INVALID, "a NUL in a field", plain(sends(OK + b"X-A: 1\x002\r\nContent-Length: 2\r\n\r\n{}"))),
    Fault(INVALID, "a space before the colon", plain(sends(OK + b"Content-Length : 2\r\n\r\n{}"))),
    Fault(INVALID, "lines that end in LF alone", plain(sends(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"))),
    Fault(INVALID, "a body on 204", plain(sends(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}"))),
    Fault(INVALID, "a body on 205", plain(sends(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\n{}"))),
    Fault(INVALID, "100 before the answer", plain(sends(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD))),
    Fault(INVALID, "103 before the answer", plain(sends(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + GOOD))),
    Fault(INVALID, "switches protocols", plain(sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))),
    Fault(INVALID, "a header without end", plain(sends(OK + b"X-A: " + b"a" * 200000))),
    Fault(INVALID, "too many fields", plain(sends(OK + b"X-A: 1\r\n" * 2000 + b"\r\n"))),

    Fault(SURPLUS, "a byte behind the answer", plain(sends(GOOD + b"x", then="keep")), said=200),
    Fault(SURPLUS, "another answer behind it", plain(sends(GOOD + GOOD, then="keep")), said=200),
    Fault(SURPLUS, "a line end behind the last chunk", plain(sends(CHUNKED + b"2\r\n{}\r\n0\r\n\r\n\r\n", then="keep")), said=200),
    Fault(SURPLUS, "bytes behind 204", plain(sends(b"HTTP/1.1 204 No Content\r\n\r\n{}", then="keep"))),
    Fault(SURPLUS, "a body on 304", plain(sends(b"HTTP/1.1 304 Not Modified\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", then="keep"))),

    Fault(LARGE, "by its length", plain(sends(answer(body=b'{"data":"' + b"x" * 20000 + b'"}'))), said=200),
    Fault(LARGE, "in chunks", plain(sends(CHUNKED + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 9)), said=200),

    Fault(EARLY, "before it has read the request", listens(read_a_little(GOOD)), said=200),
    Fault(EARLY, "closes its side behind the answer", plain(sends(GOOD, then="half-close")), said=200),
    Fault(EARLY, "says that it closes", plain(sends(JSON + b"Connection: close\r\n\r\n{}")), said=200),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault(make_gate, make_upstream, certificates, fault):
    """A read and changes meet it, one after the other: the same client status for all, and the journal knows what can be known."""
    (status, code), result = KINDS[fault.kind]
    with ExitStack() as stack:
        url, received, settings = fault.stand(make_upstream, certificates, stack)
        slow = code == "upstream-timeout"
        gate = make_gate(url, config={"workers": 1, "upstream": {**(TIMEOUTS["upstream"] if slow else {}), "json_bytes": 16384, **settings}})
        for operation in (READ, UPDATE) if slow else (READ, UPDATE, DELETE):
            before = len(received)
            got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
            # Where the upstream cannot be talked to, or not by this script, a delete is not even intended: it could not be looked at.
            unread = operation is DELETE and (result == "not-sent" or fault.name == "before it has read the request")
            if unread:
                assert_error(got, 502, "pre-image-unavailable")
            elif code is None:
                assert (got.status, got.json()) == (status, {})
            else:
                assert_error(got, status, code)
            # A fresh connection was used: nothing says that the request was not carried out, so not even a read need be sent again.
            assert len(received) - before <= (1 if operation.mutation else 2)
            identity = got.field("portcullis-request-id")
            line = access_line(gate, identity)
            assert line["status"] == (502 if unread else status)
            assert bool(line.get("error")) is (unread or code is not None), line  # why
            records = records_of(gate, identity, ["refused"] if unread else ["intent", "outcome"] if operation.mutation else [])
            if operation.mutation and not unread:
                assert_outcome(records[1], status, result, fault.said)


def assert_outcome(outcome, status, result, said):
    assert (outcome["status"], outcome.get("result"), outcome.get("upstream_status")) == (status, result, said), outcome
    assert outcome["sent"] is (result != "not-sent"), outcome


def assert_unknown(outcome, status):
    """The outcome says that nobody knows whether the mutation happened."""
    assert_outcome(outcome, status, "unknown", None)


def test_name_that_does_not_resolve(make_gate):
    gate = make_gate("http://no-such-host.invalid:80", config=TIMEOUTS)
    got = gate.request("GET", READ.target, READ.token)
    assert got.status in (502, 504)


def test_drips_for_ever(make_gate, make_upstream):
    """The total deadline ends an answer that always goes on a little; it had begun, so it is cut, not changed."""
    gate = make_gate(make_upstream(drips(OK + b"Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\n")), config=TIMEOUTS)
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
    def send():
        got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
        return got if got.status != 409 else None  # what became of the first is not settled yet

    for number in (1, 2):
        got = wait_until(send, what="an answer")
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

