"""Answers of every framing and of any size go through as they are, with no more memory than a window."""

import hashlib
import socket
import threading

import pytest

from processes import wait_until
from upstreams import answer
from world import READ, TOKENS

MIB = 1024 * 1024
BODIES = {"empty": b"", "a byte": b"x", "a line": b"hello\r\n", "a mebibyte": bytes(range(256)) * 4096}


def plain(body, framing):
    """An answer of text/plain in that framing."""
    if framing == "length":
        return answer(media_type="text/plain", body=body)
    if framing == "until close":
        return answer(media_type="text/plain", body=body, length=False, fields=[("Connection", "close")])
    data = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(body[at:at + 5000]), body[at:at + 5000]) for at in range(0, len(body), 5000))
    return answer(media_type="text/plain", body=data + b"0\r\nX-Trailer: dropped\r\n\r\n", length=False,
                  fields=[("Transfer-Encoding", "chunked")])


@pytest.mark.parametrize("size", BODIES)
@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_framings(make_gate, make_upstream, framing, size):
    data = plain(BODIES[size], framing)
    upstream = make_upstream(lambda connection, received: connection.sendall(data) or framing != "until close")
    gate = make_gate(upstream)
    for _ in range(2):
        got = gate.request("GET", READ.target, TOKENS["viewer"])
        assert (got.status, got.field("Content-Type")) == (200, "text/plain")
        assert got.body == BODIES[size]
        assert got.field("X-Trailer") is None
        if framing == "length":
            assert got.field("Content-Length") == str(len(BODIES[size]))


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_without_a_length_to_http_1_0(make_gate, make_upstream, framing):
    """An HTTP/1.0 client knows no chunks: the end of the connection is the end."""
    upstream = make_upstream(lambda connection, received: connection.sendall(plain(b"abc" * 5000, framing)))
    gate = make_gate(upstream)
    received = gate.raw(f"GET {READ.target} HTTP/1.0\r\nHost: x\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body == b"abc" * 5000


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_content(make_gate, make_upstream, status):
    upstream = make_upstream(lambda connection, received: connection.sendall(
        answer(status, body=b"", length=False, media_type=None, fields=[("Cache-Control", "no-store")])) or True)
    gate = make_gate(upstream)
    for _ in range(2):
        received = gate.raw(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n"
                            .encode())
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status[:3]}".encode()), received
        assert body == b""
        assert b"transfer-encoding" not in head.lower()
        if status.startswith("204"):
            assert b"content-length" not in head.lower()
        assert b"cache-control: no-store" in head.lower()


def test_first_bytes_come_before_the_last_are_made(make_gate, make_upstream):
    """A streamed body is passed on as it comes."""
    seen = threading.Event()

    def script(connection, received):
        connection.sendall(answer(media_type="text/plain", body=b"first", length=False, fields=[("Content-Length", "10")]))
        assert seen.wait(20)
        connection.sendall(b"after")

    gate = make_gate(make_upstream(script))
    with gate.connect() as connection:
        connection.sendall(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
        received = b""
        while b"first" not in received:
            received += connection.recv(65536)
        seen.set()
        while piece := connection.recv(65536):
            received += piece
    assert received.endswith(b"firstafter")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_to_a_slow_reader(make_gate, make_upstream, sanitizer, framing):
    """64 MiB, and the client takes nothing for a while: the upstream is held up, not the gate's memory filled."""
    piece, count = bytes(range(256)) * 4096, 64
    sent = []

    def script(connection, received):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
        if framing == "length":
            connection.sendall(answer(media_type="application/octet-stream", body=b"", length=False,
                                      fields=[("Content-Length", str(len(piece) * count))]))
        else:
            connection.sendall(answer(media_type="application/octet-stream", body=b"", length=False,
                                      fields=[("Transfer-Encoding", "chunked")]))
        for _ in range(count):
            connection.sendall(piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece))
            sent.append(len(piece))
        if framing == "chunked":
            connection.sendall(b"0\r\n\r\n")

    gate = make_gate(make_upstream(script), config={"workers": 1})
    assert gate.request("GET", READ.target, "stranger").status == 401  # everything that is set up at first use is
    before = gate.rss()
    with gate.connect(receive_buffer=128 * 1024) as connection:
        connection.sendall(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
        received = connection.recv(65536)
        held = [-1]

        def stands_still():
            still, held[0] = held[0] == sum(sent), sum(sent)
            return still

        for _ in range(3):
            wait_until(stands_still, what="back-pressure")
        assert sum(sent) < 32 * MIB, "the upstream was not held up"
        most = gate.rss()
        digest = hashlib.sha256()
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        total, tail = 0, b""
        if framing == "length":
            digest.update(body)
            total = len(body)
            while data := connection.recv(1 << 20):
                digest.update(data)
                total += len(data)
            assert total == len(piece) * count
            expected = hashlib.sha256()
            for _ in range(count):
                expected.update(piece)
            assert digest.digest() == expected.digest()
        else:
            total, tail = len(body), body
            while data := connection.recv(1 << 20):
                total += len(data)
                tail = (tail + data)[-7:]
            assert tail.endswith(b"\r\n0\r\n\r\n")
            assert total > len(piece) * count
        most = max(most, gate.rss())
    if not sanitizer:
        assert most - before < 8 * MIB, f"the gate grew by {(most - before) // 1024} KiB"


def test_a_client_that_leaves_ends_the_transfer(make_gate, make_upstream):
    """A read that nobody waits for is given up."""
    ended = []

    def script(connection, received):
        connection.sendall(answer(media_type="text/plain", body=b"", length=False, fields=[("Transfer-Encoding", "chunked")]))
        try:
            while True:
                connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            ended.append(True)

    gate = make_gate(make_upstream(script))
    with gate.connect() as connection:
        connection.sendall(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
        assert connection.recv(65536)
    wait_until(lambda: ended, what="the end of the transfer")


def test_a_cut_body_is_seen_to_be_cut(make_gate, make_upstream):
    """The upstream dies in the middle of a streamed body: the client can tell."""
    upstream = make_upstream(lambda connection, received: connection.sendall(
        answer(media_type="text/plain", body=b"x" * 100, length=False, fields=[("Content-Length", "200")])))
    gate = make_gate(upstream)
    received = gate.raw(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"502" in head.split(b"\r\n")[0] or len(body) == 100
    upstream = make_upstream(lambda connection, received: connection.sendall(
        answer(media_type="text/plain", body=b"5\r\nhello\r\n", length=False, fields=[("Transfer-Encoding", "chunked")])))
    gate = make_gate(upstream)
    received = gate.raw(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
    assert not received.endswith(b"0\r\n\r\n"), received


def test_what_is_held_is_bounded(make_gate, make_upstream):
    """Clients that do not read large JSON answers use up what the worker may hold; then reads are refused, and served again later."""
    body = b'{"data":"' + b"x" * (7 * MIB) + b'"}'
    gate = make_gate(make_upstream(lambda connection, received: connection.sendall(answer(media_type="application/json", body=body))),
                     config={"workers": 1, "limits": {"held_bytes": 8 * MIB}})
    request = f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode()
    waiting = []
    try:
        for _ in range(6):
            connection = gate.connect(receive_buffer=4096)
            connection.sendall(request)
            waiting.append(connection)
            assert connection.recv(1)  # one after the other: all at once could all be refused, and nothing be held
        wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 503, what="a refusal")
    finally:
        for connection in waiting:
            connection.close()
    wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 200, what="service when they have gone")
