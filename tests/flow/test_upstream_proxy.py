"""The way out through an HTTP proxy: CONNECT, then TLS with the upstream, which the proxy carries and cannot read."""

import base64
import select
import signal
import socket
import threading

import pytest

from checks import assert_error, records_of, request_id
from processes import PATIENCE, wait_until
from upstreams import answer, reset
from world import DELETE, OPERATIONS, READ, TOKENS, UPDATE

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n"


class Proxy:
    """A proxy for CONNECT. `script(connection, head)` may answer in its place: it returns True when it did."""

    def __init__(self, script=None):
        self.script = script
        self.heads = []
        self.carried = b""  # every byte of clients behind their requests
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://localhost:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                connection.settimeout(PATIENCE)
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(1)
                    if not piece:
                        return
                    head += piece
                self.heads.append(head.decode("latin-1"))
                if self.script and self.script(connection, head):
                    return
                host, _, port = head.split(b" ")[1].decode().rpartition(":")
                with socket.create_connection((host, int(port))) as other:
                    connection.sendall(ESTABLISHED)
                    self._carry(connection, other)
            except OSError:
                pass

    def _carry(self, one, other):
        while True:
            for ready in select.select([one, other], [], [], PATIENCE)[0]:
                piece = ready.recv(65536)
                if not piece:
                    return
                if ready is one:
                    self.carried += piece
                (other if ready is one else one).sendall(piece)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


@pytest.fixture
def make_proxy():
    made = []

    def make(script=None):
        made.append(Proxy(script))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def through(make_gate, certificates):
    """through(upstream, proxy, …): a gate that reaches the upstream by the proxy alone."""

    def make(upstream, proxy, environment=None, **settings):
        return make_gate(upstream, environment=environment, config={
            "workers": 1, "upstream": {"ca_file": str(certificates.authority.file), "proxy": proxy.url, **settings}})

    return make


def test_every_operation(through, make_sandbox, make_proxy, certificates):
    sandbox, proxy = make_sandbox(certificate=certificates.good), make_proxy()
    gate = through(sandbox, proxy)
    for operation in sorted(OPERATIONS, key=lambda operation: operation is DELETE):
        got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
        assert got.status == operation.status, got
    assert len(sandbox.ledger()) == len(OPERATIONS)
    assert {dict((name.lower(), value) for name, value in line["headers"])["host"] for line in sandbox.ledger()} == {f"localhost:{sandbox.port}"}
    assert set(proxy.heads) == {f"CONNECT localhost:{sandbox.port} HTTP/1.1\r\nHost: localhost:{sandbox.port}\r\n\r\n"}


def test_the_proxy_sees_nothing_of_clients(through, make_sandbox, make_proxy, certificates):
    """Neither who they are nor what they ask for; and it hears nothing of its own credentials being sent on."""
    sandbox, proxy = make_sandbox(certificate=certificates.good), make_proxy()
    gate = through(sandbox, proxy, environment={"PROXY_LOGIN": "gate:s3cret"}, proxy_credentials={"env": "PROXY_LOGIN"})
    for operation in (READ, UPDATE, READ, DELETE):
        assert gate.request(operation.method, operation.target, operation.token, body=operation.body).status == operation.status
    seen = "".join(proxy.heads).encode() + proxy.carried
    assert len(proxy.carried) > 1000
    for secret in (READ.token, UPDATE.token, DELETE.token, "/rest/orgs", "renamed", "Token "):
        assert secret.encode() not in seen, secret
    credentials = base64.b64encode(b"gate:s3cret").decode()
    assert {line for head in proxy.heads for line in head.split("\r\n") if "uthorization" in line} == {f"Proxy-Authorization: Basic {credentials}"}
    for text in (gate.stderr(), gate.access_file.read_text(), str(sandbox.ledger())):
        assert "s3cret" not in text and credentials not in text and "proxy-authorization" not in text.lower()


def test_tunnels_are_kept_for_their_principal(through, make_upstream, make_proxy, certificates):
    def script(connection, received):
        connection.sendall(answer(body=b"{}"))
        return True

    proxy = make_proxy()
    gate = through(make_upstream(script, certificates.good), proxy)
    for _ in range(5):
        for token in (TOKENS["viewer"], TOKENS["editor"]):
            assert gate.request("GET", READ.target, token).status == 200
    assert len(proxy.heads) == 2


def test_the_upstream_is_who_it_must_be(through, make_sandbox, make_proxy, certificates):
    """A proxy that leads elsewhere is found out by the certificate."""
    sandbox, proxy = make_sandbox(certificate=certificates.wrong_host), make_proxy()
    gate = through(sandbox, proxy)
    assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-untrusted")
    assert_error(gate.request("DELETE", DELETE.target, DELETE.token), 502, "pre-image-unavailable")
    assert sandbox.ledger() == []


def says(data, then="close"):
    def script(connection, head):
        connection.sendall(data)
        if then == "reset":
            reset(connection)
        if then == "hang":
            while connection.recv(65536):
                pass
        return True

    return script


REFUSALS = {
    "407": (says(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno"),
            502, "unreachable", "it answered 407: it wants other credentials (upstream.proxy_credentials)"),
    "403": (says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), 502, "unreachable", "it answered 403"),
    "503": (says(b"HTTP/1.1 503 Busy\r\n\r\n"), 502, "unreachable", "it answered 503"),
    "redirects": (says(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n"), 502, "unreachable", "it answered 302"),
    "interim": (says(b"HTTP/1.1 103 Hints\r\n\r\n" + ESTABLISHED), 502, "unreachable", "interim-answer"),
    "garbage": (says(bytes(range(256))), 502, "unreachable", "is not HTTP as it should be"),
    "no proxy": (says(b"220 mail ESMTP\r\n"), 502, "unreachable", "status-line"),
    "endless header": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200000), 502, "unreachable", "header-too-large"),
    "bytes behind": (says(ESTABLISHED + b"\x15\x03\x03\x00\x02\x02\x28"), 502, "unreachable", "bytes behind its answer"),
    "closes": (says(b""), 502, "unreachable", "closed before its answer"),
    "closes within": (says(b"HTTP/1.1 20"), 502, "unreachable", "closed before its answer"),
    "resets": (says(b"", then="reset"), 502, "unreachable", "CONNECT through 127.0.0.1"),
    "hangs": (says(b"", then="hang"), 504, "timeout", "no answer in time"),
    "hangs within": (says(b"HTTP/1.1 200 OK\r\n", then="hang"), 504, "timeout", "no answer in time"),
    "closes behind": (says(ESTABLISHED), 502, "unreachable", "TLS through 127.0.0.1"),
}


@pytest.mark.parametrize("which", REFUSALS)
def test_a_proxy_that_refuses(through, make_proxy, which):
    """The client is told that there is no way, the log why; of a change it is known that it was not sent."""
    script, status, code, reason = REFUSALS[which]
    gate = through("https://localhost:1", make_proxy(script), connect_timeout_ms=300, resolve_interval_s=3600)
    for operation in (READ, UPDATE):
        got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
        assert_error(got, status, f"upstream-{code}")
        records = records_of(gate, request_id(got), ["intent", "outcome"] if operation.mutation else [])
        if records:
            assert (records[1]["result"], records[1]["status"]) == ("not-sent", status)
    assert any(reason in line["detail"] for line in gate.log() if line["event"] == f"upstream-{code}"), gate.stderr()


def test_a_proxy_that_is_not_there(through):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    class Absent:
        url = f"http://localhost:{port}"

    gate = through("https://localhost:1", Absent)
    assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-unreachable")


def test_credentials_from_a_file_are_read_anew(through, make_sandbox, make_proxy, certificates, tmp_path):
    """SIGHUP takes new ones up; wrong ones leave those in use, and the log says so without showing them."""

    def script(connection, head):
        if b"Basic " + base64.b64encode(b"gate:new") in head:
            return False
        connection.sendall(b"HTTP/1.1 407 No\r\n\r\n")
        return True

    login = tmp_path / "login"
    login.write_text("gate:old\n")
    gate = through(make_sandbox(certificate=certificates.good), make_proxy(script), proxy_credentials={"file": str(login)})
    assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-unreachable")
    login.write_text("gate:new\n")
    gate.signal(signal.SIGHUP)
    wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 200, what="the new credentials in use")
    login.write_text("gate-without-password\n")
    gate.signal(signal.SIGHUP)
    [line] = wait_until(lambda: [line for line in gate.log() if "proxy_credentials" in line["detail"] and line["event"] == "reload"],
                        what="a word on the file")
    assert "must be user:password" in line["detail"] and "gate-without" not in line["detail"]
    assert gate.request("GET", READ.target, TOKENS["editor"]).status == 200


def test_the_environment_is_not_heeded(make_gate, make_sandbox, make_proxy, certificates):
    """A variable that somebody set for other programs changes nothing about the way of API keys."""
    sandbox, proxy = make_sandbox(certificate=certificates.good), make_proxy()
    names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"]
    gate = make_gate(sandbox, config={"upstream": {"ca_file": str(certificates.authority.file)}}, environment=dict.fromkeys(names, proxy.url))
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert proxy.heads == []
