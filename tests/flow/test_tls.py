"""TLS towards clients: versions, ciphers, protocols, sessions, reloads, and handshakes that fail or never end."""

import concurrent.futures
import shutil
import socket
import ssl
import subprocess
import time
import warnings

import pytest
import world
from processes import PATIENCE, wait_until

TARGET = f"/rest/orgs/{world.PAYMENTS}/integrations?version={world.VERSION}"
REQUEST = (f"GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {world.TOKENS['viewer']}\r\n\r\n").encode()
ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


@pytest.fixture
def tls_gate(make_gate, sandbox, certificates):
    """tls_gate(config=…, **options): a gate that listens with TLS."""

    def make(config=None, **options):
        options.setdefault("certificate", certificates.good)
        return make_gate(sandbox, config=config, **options)

    return make


def exchange(connection, request=REQUEST):
    """One request on an open connection; the whole answer."""
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(65536)
        if not piece:
            return answer
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, "the answer was cut short"
        body += piece
    return head + b"\r\n\r\n" + body


def status(answer):
    return int(answer.split(b" ", 2)[1])


def failures(gate):
    """The log's words on handshakes that failed."""
    return [line["detail"] for line in gate.log() if line["event"] == "tls-handshake"]


def context_of(gate, lowest=None, highest=None, ciphers=None, protocols=None, **options):
    """A client's context with versions that Python calls obsolete, too."""
    context = gate.tls(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if lowest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = lowest
        if highest:
            context.maximum_version = highest
    if ciphers:
        context.set_ciphers(ciphers)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


# What is agreed on.

def test_a_request_and_what_the_upstream_is_told(tls_gate, sandbox):
    gate = tls_gate()
    sandbox.fault({"absolute_links": True})
    answer = gate.request("GET", TARGET, token=world.TOKENS["viewer"])
    assert answer.status == 200
    assert ["x-forwarded-proto", "https"] in [[name.lower(), value] for name, value in sandbox.ledger()[-1]["headers"]]
    assert f"https://localhost:{gate.port}{TARGET.partition('?')[0]}" in answer.json()["links"]["next"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_curl(tls_gate, certificates):
    gate = tls_gate()
    words = ["curl", "-sS", "--max-time", str(PATIENCE), "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
             "--cacert", certificates.authority.file, "-H", f"Authorization: Token {world.TOKENS['viewer']}", gate.url + TARGET]
    assert subprocess.run(words, capture_output=True, text=True, check=False).stdout == "200 1.1"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions(tls_gate, version):
    wanted = getattr(ssl.TLSVersion, version)
    gate = tls_gate()
    with gate.connect(context=context_of(gate, highest=wanted) if version == "TLSv1_2" else None) as connection:
        assert connection.version() == version.replace("_", ".")
        assert status(exchange(connection)) == 200
        assert status(exchange(connection)) == 200


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(tls_gate, version):
    wanted = getattr(ssl.TLSVersion, version)
    gate = tls_gate()
    with pytest.raises(ssl.SSLError, match="(?i)version"):
        gate.connect(context=context_of(gate, lowest=wanted, highest=wanted))
    assert wait_until(lambda: failures(gate), what="a word on the handshake")[0].startswith("client 127.0.0.1: TLS: unsupported protocol")


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
def test_weak_ciphers_are_refused(tls_gate, ciphers):
    gate = tls_gate()
    with pytest.raises(ssl.SSLError, match="(?i)handshake failure"):
        gate.connect(context=context_of(gate, highest=ssl.TLSVersion.TLSv1_2, ciphers=ciphers))
    assert "no shared cipher" in wait_until(lambda: failures(gate), what="a word on the handshake")[0]


def test_the_gate_chooses_the_cipher(tls_gate):
    gate = tls_gate()
    context = context_of(gate, highest=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256")
    with gate.connect(context=context) as connection:
        assert connection.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_protocols(tls_gate):
    gate = tls_gate()
    for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (None, None)):
        with gate.connect(context=context_of(gate, protocols=offered)) as connection:
            assert connection.selected_alpn_protocol() == chosen
            assert status(exchange(connection)) == 200
    for offered in (["h2"], ["http/1.0"], ["h2", "http/1.0"]):
        with pytest.raises(ssl.SSLError, match="(?i)no application protocol"):
            gate.connect(context=context_of(gate, protocols=offered))


# Reading, writing, ending.

def test_requests_in_many_records_and_in_one(tls_gate):
    gate = tls_gate()
    with gate.connect() as connection:
        for byte in REQUEST:
            connection.sendall(bytes([byte]))
        assert status(exchange(connection, b"")) == 200
        connection.sendall(REQUEST * 20)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < 20:
            piece = connection.recv(65536)
            assert piece
            answers += piece


def test_surplus_that_is_held_in_tls(tls_gate):
    """More is sent behind a request than the gate holds back: what stays behind inside of TLS is taken up later."""
    gate = tls_gate()
    with gate.connect() as connection:
        count = 160 * 1024 // len(REQUEST)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            sending = pool.submit(connection.sendall, REQUEST * count)
            answers, tail = 0, b""
            while answers < count:
                piece = connection.recv(65536)
                assert piece, f"closed after {answers} answers"
                tail += piece
                answers += tail.count(b"HTTP/1.1 200 OK")
                tail = tail[-14:] if not tail.endswith(b"HTTP/1.1 200 OK") else b""
            sending.result()


@pytest.mark.parametrize("size", [1000, 15000, 17000, 700_000])
def test_answers_of_all_sizes_to_a_slow_reader(tls_gate, make_upstream, make_gate, certificates, size):
    body = bytes(ord("a") + at % 26 for at in range(size))

    def script(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size + body)
        return True

    gate = make_gate(make_upstream(script), certificate=certificates.good)
    connection = gate.connect(receive_buffer=4096)
    with connection:
        for _ in range(2):
            connection.sendall(REQUEST)
            received = b""
            while len(received) - received.find(b"\r\n\r\n") - 4 < size:
                received += connection.recv(1500)
            assert received.endswith(body)


def test_an_end_is_said(tls_gate):
    """A reply behind which the connection closes, and an idle connection that is closed, end with close_notify; so no one in between can
    cut an answer short unseen."""
    gate = tls_gate({"limits": {"idle_timeout_ms": 200}})
    for request in (REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), None, b"BAD\r\n\r\n"):
        with gate.connect() as connection:
            if request:
                connection.sendall(request)
            while connection.recv(65536):  # raises where the end was not said
                pass


@pytest.mark.parametrize("said", [True, False])
def test_a_client_that_ends_its_side_gets_its_answer(tls_gate, said):
    """By close_notify, or by a FIN alone, as some clients have it: the request is whole all the same."""
    gate = tls_gate()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = gate.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection((gate.host, gate.port), timeout=PATIENCE) as connection:

        def turn(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if data := outgoing.read():
                        connection.sendall(data)
                    piece = connection.recv(65536)
                    if piece:
                        incoming.write(piece)
                    else:
                        incoming.write_eof()

        turn(session.do_handshake)
        session.write(REQUEST)
        if said:
            with pytest.raises(ssl.SSLWantReadError):
                session.unwrap()
        connection.sendall(outgoing.read())
        connection.shutdown(socket.SHUT_WR)
        assert status(turn(lambda: session.read(65536))) == 200
