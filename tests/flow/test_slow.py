"""Slow clients of every kind at once, and floods: the gate ends them by its own deadlines, and all others are served meanwhile. Here without
a look at the clock; with one, and many more, in tests/soak/slow.py."""

import selectors
import threading

from processes import wait_until
from upstreams import answer, reset
from world import BY_ID, CREATE, READ, TOKENS

EACH = 20
LIMITS = {"header_timeout_ms": 1000, "body_timeout_ms": 1000, "idle_timeout_ms": 1000, "write_timeout_ms": 1000, "rate_grace_ms": 1000,
          "body_bytes_per_s": 200, "answer_bytes_per_s": 200}
AUTHORISED = f"Host: gate\r\nAuthorization: Token {TOKENS['editor']}\r\n"
GOOD = f"GET {READ.target} HTTP/1.1\r\n{AUTHORISED}\r\n".encode()
LONG = f"GET {BY_ID['listIntegrations'].target}&limit=100 HTTP/1.1\r\n{AUTHORISED}\r\n".encode()
# Of each kind: what it begins with, and what it sends again and again.
KINDS = {
    "nothing": (b"", b""),
    "header": (f"GET {READ.target} HTTP/1.1\r\n{AUTHORISED}".encode(), b"X-a: b\r\n"),
    "byte": (b"", b"G"),
    "field": (f"GET {READ.target} HTTP/1.1\r\n{AUTHORISED}X: ".encode(), b"y"),
    "body": (f"POST {CREATE.target} HTTP/1.1\r\n{AUTHORISED}Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n".encode(), b"a"),
    "chunks": (f"POST {CREATE.target} HTTP/1.1\r\n{AUTHORISED}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
               b"1\r\na\r\n"),
    "extension": (f"POST {CREATE.target} HTTP/1.1\r\n{AUTHORISED}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;".encode(),
                  b"a"),
    "idle": (GOOD, b""),
    "ranges": (GOOD[:-2] + b"Range: bytes=0-" + b",0-".join(b"%d" % number for number in range(600)) + b"\r\n\r\n", b""),
}


class Slow:
    """One such client: it sends a little whenever it is asked to, and notices when it is left."""

    def __init__(self, gate, kind):
        begin, self.more = KINDS[kind]
        self.kind = kind
        self.connection = gate.connect()
        self.connection.sendall(begin)
        self.connection.setblocking(False)
        self.over = False

    def step(self):
        try:
            if self.more:
                self.connection.send(self.more)
            while self.connection.recv(65536):
                pass
            self.over = True
        except BlockingIOError:
            pass
        except ConnectionError:
            self.over = True


def test_slow_clients_are_ended_and_the_others_served(make_gate, sandbox):
    gate = make_gate(sandbox, config={"limits": LIMITS})
    slow = [Slow(gate, kind) for kind in KINDS for _ in range(EACH)]
    good = 0

    def all_over():
        nonlocal good
        for client in slow:
            if not client.over:
                client.step()
        assert gate.request("GET", READ.target, READ.token).status == 200
        good += 1
        return all(client.over for client in slow)

    wait_until(all_over, what="the end of the slow clients")
    assert good >= 10
    assert not [line for line in sandbox.ledger() if line["method"] != "GET"]
    for client in slow:
        client.connection.close()


def test_slow_readers_are_ended_and_the_others_served(make_gate, make_upstream):
    """They ask for much, and take a few bytes of it now and then."""

    def script(connection, received):
        if b"limit=" in received.target.encode():
            connection.sendall(answer(media_type="text/plain", body=b"", length=False, fields=[("Transfer-Encoding", "chunked")]))
            try:
                while True:
                    connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            except OSError:
                return False
        connection.sendall(answer())
        return True

    gate = make_gate(make_upstream(script), config={"limits": LIMITS})
    readers = []
    for _ in range(EACH):
        readers.append(gate.connect(receive_buffer=4096))
        readers[-1].sendall(LONG)

    def all_cut():
        for reader in readers:
            try:
                reader.recv(1)
            except OSError:
                pass
        assert gate.request("GET", READ.target, READ.token).status == 200
        return len([line for line in gate.access_log() if "limit=" in line["target"]]) == EACH

    wait_until(all_cut, what="the end of the slow readers")
    for reader in readers:
        reader.close()


def test_floods_while_a_reply_is_pending(make_gate, make_upstream, sanitizer):
    """Sixty-four clients send on and on: they are not read, and what they sent is run only when they have their reply."""
    release = threading.Event()

    def script(connection, _received):
        release.wait(60)
        connection.sendall(answer(body=b"{}"))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream)
    floods = [gate.connect() for _ in range(64)]
    for flood in floods:
        flood.sendall(GOOD)
    wait_until(lambda: len(upstream.received) == 64, what="all first requests to be pending")
    before, sent = gate.rss(), 0
    with selectors.DefaultSelector() as selector:
        for flood in floods:
            flood.setblocking(False)
            selector.register(flood, selectors.EVENT_WRITE)
        while ready := selector.select(0.5):
            for key, _ in ready:
                sent += key.fileobj.send(GOOD * 200)
            assert sent < 1 << 30, "the floods were taken in"
    if not sanitizer:
        assert gate.rss() - before < 64 * 128 * 1024, f"the gate grew by {(gate.rss() - before) // 1024} KiB"
    assert len(upstream.received) == 64
    for flood in floods:
        reset(flood)
    release.set()
