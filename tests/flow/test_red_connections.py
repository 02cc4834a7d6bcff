"""Connections under ill treatment: requests in pieces, clients that leave at any moment, bounds reached and left again."""

import json
import os
import random
import re
import socket
import subprocess
import threading
import time

from processes import SANITIZER, wait_until
from upstreams import answer, reset
from world import READ, UPDATE, UPDATE_BODY, VERSION


def raw(operation, body=None, extra=b""):
    """The bytes of a request."""
    head = f"{operation.method} {operation.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {operation.token}\r\n".encode()
    if body is not None:
        head += b"Content-Type: application/json\r\n"
    if body is not None and b"chunked" not in extra:
        head += b"Content-Length: %d\r\n" % len(body)
    return head + extra + b"\r\n" + (body or b"")


def chunks(body, size):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def statuses(received):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", received)]


def read_to_end(connection, seconds=20):
    connection.settimeout(seconds)
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


BODY = json.dumps(UPDATE_BODY).encode()
UNKNOWN = b"GET /rest/nope?version=" + VERSION.encode() + b" HTTP/1.1\r\nHost: gate\r\n\r\n"


def test_pipeline_in_pieces_of_any_size(gate, sandbox):
    """Good, refused, with a length and chunked, cut at every byte: each answered once and in order."""
    pipeline = (raw(READ) + UNKNOWN + raw(UPDATE, body=BODY) + raw(UPDATE, body=b"", extra=b"Transfer-Encoding: chunked\r\n") +
                chunks(BODY, 1) + UNKNOWN + raw(READ))
    for size in (1, 7, 64, len(pipeline)):
        with gate.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(pipeline), size):
                connection.sendall(pipeline[at:at + size])
            connection.shutdown(socket.SHUT_WR)
            assert statuses(read_to_end(connection)) == [200, 404, 200, 200, 404, 200], size
    assert len(gate.exchanges("intent")) == len(gate.exchanges("outcome")) == 8
    assert [line["method"] for line in sandbox.ledger()] == ["GET", "PATCH", "PATCH", "GET"] * 4


def test_clients_that_leave_at_any_moment(make_gate, make_upstream):
    """Whatever moment a client leaves at: each intent gets its outcome, each mutation the upstream saw had an intent, and the gate goes on."""

    def script(connection, received):
        mode = received.field("x-mode")
        if mode == "drip":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(10):
                connection.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
                time.sleep(0.005)
            connection.sendall(b"0\r\n\r\n")
        elif mode == "large":
            connection.sendall(answer(body=b"x" * 4_000_000, media_type="text/plain"))
        elif mode == "cut":
            connection.sendall(answer(body=b"x" * 100_000, media_type="text/plain")[:-1000])
            return False
        else:
            time.sleep(0.02 if mode == "slow" else 0)
            connection.sendall(answer())
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream)

    def treat(seed):
        chance = random.Random(seed)
        for _ in range(25):
            extra = b"X-Mode: " + chance.choice([b"drip", b"large", b"cut", b"slow", b"plain"]) + b"\r\n"
            request = raw(UPDATE, body=BODY, extra=extra) if chance.random() < 0.5 else raw(READ, extra=extra)
            connection = gate.connect(receive_buffer=8192)
            try:
                connection.sendall(request * chance.choice([1, 2]))
                time.sleep(chance.choice([0, 0.001, 0.01, 0.03]))
                if chance.random() < 0.3:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            if chance.random() < 0.5:
                reset(connection)
            connection.close()

    threads = [threading.Thread(target=treat, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def settled():
        return {record["request_id"] for record in gate.exchanges("intent")} == {record["request_id"] for record in gate.exchanges("outcome")}

    wait_until(settled, what="an outcome for each intent")
    intents = {record["request_id"] for record in gate.exchanges("intent")}
    assert {received.field("x-request-id") for received in upstream.received if received.method == "PATCH"} <= intents
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_no_more_connections_than_allowed(make_gate, sandbox):
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"connections": 8}})
    held = [gate.connect() for _ in range(8)]
    for connection in held:
        connection.sendall(raw(READ))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    with gate.connect() as ninth:
        ninth.sendall(raw(READ))
        assert statuses(read_to_end(ninth)) == [503]
    held.pop().close()

    def served():
        with gate.connect() as another:
            another.sendall(raw(READ))
            return another.recv(65536).startswith(b"HTTP/1.1 200")

    wait_until(served, what="room for another")
    for connection in held:
        connection.close()


def test_descriptors_run_out(make_gate, sandbox):
    """Without descriptors accepting pauses, quietly; reads and changes are answered 503, and the change is recorded as not sent."""
    gate = make_gate(sandbox, config={"workers": 1})
    subprocess.run(["prlimit", "--pid", str(gate.process.pid), "--nofile=40:40"], check=True)
    held = [gate.connect() for _ in range(80)]
    wait_until(lambda: [line for line in gate.log() if line["event"] == "accept"], what="a word on descriptors in the log")

    def none_is_left():
        """Not for a moment, either: what the journal had open for its first checkpoint is closed and taken, too."""
        counts = set()
        for _ in range(5):
            counts.add(len(os.listdir(f"/proc/{gate.process.pid}/fd")))
            time.sleep(0.1)
        return counts == {40}

    wait_until(none_is_left, what="the last descriptor to be taken")
    held[0].sendall(raw(READ))
    assert held[0].recv(65536).startswith(b"HTTP/1.1 503")
    held[1].sendall(raw(UPDATE, BODY))
    assert held[1].recv(65536).startswith(b"HTTP/1.1 503")
    assert len([line for line in gate.log() if line["event"] == "accept"]) < 5
    outcome, = gate.exchanges("outcome")
    assert (outcome["result"], outcome["sent"]) == ("not-sent", False)
    for connection in held:
        connection.close()
    wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 200, what="reads to pass again")
    assert sandbox.ledger() and all(line["method"] == "GET" for line in sandbox.ledger())


def test_body_of_tiny_chunks_stays_within_bounds(make_gate, sandbox):
    gate = make_gate(sandbox, config={"workers": 1})
    body = BODY[:-1] + b" " * 100_000 + BODY[-1:]
    before = gate.rss()
    with gate.connect() as connection:
        connection.sendall(raw(UPDATE, body=b"", extra=b"Transfer-Encoding: chunked\r\nConnection: close\r\n") + chunks(body, 1))
        assert statuses(read_to_end(connection)) == [200]
    if not SANITIZER:  # which keeps what was freed
        assert gate.rss() - before < 16 << 20
    assert sandbox.ledger()[-1]["body"] == json.dumps(UPDATE_BODY, separators=(",", ":"))
