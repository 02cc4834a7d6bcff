"""TLS towards clients: versions, ciphers, protocols, sessions, reloads, and handshakes that fail or never end."""

import contextlib
import datetime
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings

import pytest
import world
from certificates import DAY, NOW
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
    """More is sent behind a request than the gate holds back: what stays behind inside of TLS is taken up later. By one thread: Python's
    connections of TLS are not to be used by two."""
    gate = tls_gate()
    with gate.connect() as connection:
        count = 160 * 1024 // len(REQUEST)
        connection.setblocking(False)
        rest, answers, tail = memoryview(REQUEST * count), 0, b""
        while answers < count:
            assert any(select.select([connection], [connection] if rest else [], [], PATIENCE)), f"nothing after {answers} answers"
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while rest:
                    rest = rest[connection.send(rest[:16384]):]
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while piece := connection.recv(65536):
                    tail += piece
                    answers += tail.count(b"HTTP/1.1 200 OK")
                    tail = tail[-14:] if not tail.endswith(b"HTTP/1.1 200 OK") else b""
                assert piece, f"closed after {answers} answers"


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
        plain = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
        context = gate.tls()
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default takes any end for a good one
        with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as connection:
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


def test_the_wire_guard_is_the_same(tls_gate, sandbox):
    """What is refused in clear is refused over TLS, with the same answer, whole or a byte at a time, alone or behind a good request."""
    gate = tls_gate()
    bad = (b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
           b"chunked\r\n\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x00\x05hello")
    for request in bad:
        assert status(gate.raw(request)) in (400, 501, 505), request
        both = gate.raw(REQUEST + request)
        assert both.startswith(b"HTTP/1.1 200 ") and both.count(b"HTTP/1.1 ") == 2, request
        with gate.connect() as connection:
            for byte in request:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    break
            assert status(connection.recv(65536)) in (400, 501, 505), request
    assert {line["method"] for line in sandbox.ledger()} == {"GET"} and len(sandbox.ledger()) == len(bad)


# Handshakes that fail, or do not end.

def test_no_tls_at_all(tls_gate):
    gate = tls_gate(ADMIN)
    with socket.create_connection((gate.host, gate.port), timeout=PATIENCE) as connection:
        connection.sendall(REQUEST)
        assert not connection.recv(65536).startswith(b"HTTP")
    assert "http request" in wait_until(lambda: failures(gate), what="a word on the handshake")[0]
    assert gate.metrics()['portcullis_tls_handshake_failures_total{reason="protocol"}'] == 1


def client_hello(gate):
    """The first bytes of a client's handshake."""
    outgoing = ssl.MemoryBIO()
    session = gate.tls().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def test_half_handshakes_end_at_their_deadline(tls_gate):
    """Many that say nothing, half of a hello, or a hello and no more: all are closed when limits.handshake_timeout_ms is over, and a good
    client is served meanwhile."""
    gate = tls_gate({"limits": {"handshake_timeout_ms": 700}, **ADMIN})
    hello = client_hello(gate)
    halves = [b"", hello[:3], hello[:len(hello) // 2], hello] * 20
    began = time.monotonic()
    waiting = []
    for half in halves:
        connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
        connection.sendall(half)
        waiting.append(connection)
    assert gate.request("GET", TARGET, token=world.TOKENS["viewer"]).status == 200
    assert time.monotonic() - began < 0.7 + PATIENCE / 2
    for connection in waiting:
        with connection:
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    assert time.monotonic() - began > 0.6
    assert wait_until(lambda: gate.metrics()['portcullis_tls_handshake_failures_total{reason="timeout"}'] == len(halves), what="all counted")
    assert 1 <= len(failures(gate)) <= 4, "the log is bounded"
    assert "handshake_timeout_ms" in failures(gate)[0]


def test_a_handshake_a_byte_at_a_time(tls_gate):
    gate = tls_gate()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = gate.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection((gate.host, gate.port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    connection.sendall(bytes([byte]))
                incoming.write(connection.recv(65536))
        session.write(REQUEST)
        connection.sendall(outgoing.read())
        while True:
            try:
                assert status(session.read(65536)) == 200
                break
            except ssl.SSLWantReadError:
                incoming.write(connection.recv(65536))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_renegotiation_and_key_updates(tls_gate, certificates):
    """The first is refused, the second answered: neither takes the connection from others."""
    gate = tls_gate()
    request = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for version, steps in (("-tls1_2", [(b"R\n", b"no renegotiation")]), ("-tls1_3", [(b"K\n", b"KEYUPDATE"), (request, b"HTTP/1.1 200 OK")])):
        words = ["openssl", "s_client", version, "-connect", f"127.0.0.1:{gate.port}", "-CAfile", certificates.authority.file, "-servername", "localhost"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
            try:
                os.set_blocking(client.stdout.fileno(), False)
                said = b""
                for say, expected in steps:
                    client.stdin.write(say)
                    client.stdin.flush()

                    def heard(expected=expected):
                        nonlocal said
                        said += client.stdout.read() or b""
                        return expected in said

                    wait_until(heard, what=f"{expected} from s_client")
            finally:
                client.kill()
    assert gate.request("GET", TARGET, token=world.TOKENS["viewer"]).status == 200


# Sessions.

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_resumed_by_every_worker(tls_gate, version):
    gate = tls_gate({"workers": 4, **ADMIN})
    context = context_of(gate, highest=getattr(ssl.TLSVersion, version))
    session, resumed = None, 0
    for _ in range(24):
        connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
        with context.wrap_socket(connection, server_hostname="localhost", session=session) as secure:
            resumed += secure.session_reused
            assert status(exchange(secure)) == 200
            session = secure.session
    assert resumed == 23
    metrics = gate.metrics()
    assert metrics['portcullis_tls_handshakes_total{session="new"}'] == 1
    assert metrics['portcullis_tls_handshakes_total{session="resumed"}'] == 23


def resumes(gate, context, session):
    """Is the session resumed? And the one that came of it."""
    connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
    with context.wrap_socket(connection, server_hostname="localhost", session=session) as secure:
        assert status(exchange(secure)) == 200
        return secure.session_reused, secure.session


def test_ticket_keys_are_replaced(tls_gate):
    gate = tls_gate({"tls": {"ticket_lifetime_s": 1}})
    context = context_of(gate, highest=ssl.TLSVersion.TLSv1_2)
    _, session = resumes(gate, context, None)
    assert resumes(gate, context, session)[0]
    time.sleep(2.1)  # what is waited for is that nothing is possible any more
    assert not resumes(gate, context, session)[0]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_tickets(tls_gate, version):
    gate = tls_gate({"tls": {"ticket_lifetime_s": 0}})
    context = context_of(gate, highest=getattr(ssl.TLSVersion, version))
    _, session = resumes(gate, context, None)
    assert not resumes(gate, context, session)[0]


def test_sessions_do_not_outlive_the_gate(tls_gate):
    """Their keys are nowhere but in its memory."""
    gate = tls_gate()
    context = gate.tls()
    _, session = resumes(gate, context, None)
    gate.stop()
    gate.start()
    assert not resumes(gate, context, session)[0]


# Files.

def serial_of(gate):
    connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
    context = gate.tls(check_hostname=False)
    with context.wrap_socket(connection, server_hostname="localhost") as secure:
        return int(secure.getpeercert()["serialNumber"], 16)


def test_reload_of_the_certificate(tls_gate, certificates, tmp_path):
    """A new certificate is used at once, an open connection goes on, and a wrong file changes nothing but the log and the count."""
    file, key_file = tmp_path / "used.crt", tmp_path / "used.key"

    def install(certificate):
        for path, content in ((file, certificate.file), (key_file, certificate.key_file)):
            path.with_suffix(".new").write_bytes(content.read_bytes())
            path.with_suffix(".new").chmod(0o600)
            path.with_suffix(".new").rename(path)

    install(certificates.good)
    gate = tls_gate({"tls": {"certificate": str(file), "key": str(key_file)}, **ADMIN})
    assert serial_of(gate) == certificates.good.parsed.serial_number
    with gate.connect() as connection:
        assert status(exchange(connection)) == 200
        renewed = certificates.authority.server("renewed", ["localhost"])
        install(renewed)
        gate.reload()
        assert serial_of(gate) == renewed.parsed.serial_number
        assert status(exchange(connection)) == 200
        for wrong, words in ((certificates.expired, "expired 20"), (certificates.authority.client("not-a-server", []), "is not for a server")):
            install(wrong)
            gate.reload()
            assert serial_of(gate) == renewed.parsed.serial_number
            assert any(line["level"] == "error" and words in line["detail"] for line in gate.log()), gate.log()
        key_file.chmod(0o640)
        gate.reload()
        assert any("open to others" in line["detail"] for line in gate.log())
        assert status(exchange(connection)) == 200
    metrics = gate.metrics()
    assert (metrics['portcullis_reloads_total{result="done"}'], metrics['portcullis_reloads_total{result="failed"}']) == (1, 3)
    expires = int(renewed.parsed.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp())
    assert metrics["portcullis_tls_certificate_expiry_time_seconds"] == expires


def test_check(tls_gate, certificates, tmp_path):
    """What `check` says of the files; the gate does not start with any of them."""
    gate = tls_gate(start=False)
    (tmp_path / "open.key").write_bytes(certificates.good.key_file.read_bytes())
    (tmp_path / "open.key").chmod(0o644)
    (tmp_path / "nothing").write_text("nothing\n")
    (tmp_path / "nothing").chmod(0o600)
    soon = certificates.authority.server("soon", ["localhost"], end=NOW + 3 * DAY)
    old_list = certificates.authority.crl("old.crl", until=NOW - DAY)
    chained = certificates.authority.chain(certificates.good, "chained.crt")
    good = {"certificate": str(certificates.good.file), "key": str(certificates.good.key_file)}
    clients = {"client_certificate": "optional", "client_ca": str(certificates.authority.file)}
    ocsp = certificates.authority.ocsp
    rows = [
        ({"certificate": "absent.crt"}, "/tls/certificate", "absent.crt cannot be read: No such file or directory"),
        ({"certificate": "nothing"}, "/tls/certificate", "nothing holds no certificate in PEM form"),
        ({"certificate": str(certificates.expired.file), "key": str(certificates.expired.key_file)}, "/tls/certificate", "expired 20"),
        ({"key": str(certificates.expired.key_file)}, "/tls/key", "is not the key of the certificate"),
        ({"key": "open.key"}, "/tls/key", "open.key open to others (mode 644): chmod 600 it"),
        ({"key": "nothing"}, "/tls/key", "nothing holds no private key in PEM form"),
        ({"key": "absent.key"}, "/tls/key", "absent.key cannot read the key: No such file"),
        ({**clients, "client_ca": "nothing"}, "/tls/client_ca", "holds no certificate in PEM form"),
        ({**clients, "client_ca": str(certificates.good.file)}, "/tls/client_ca", "holds a certificate that is no authority's"),
        ({**clients, "client_crl": "nothing"}, "/tls/client_crl", "holds no revocation list in PEM form"),
        ({**clients, "client_crl": str(old_list)}, "/tls/client_crl", "holds a list that was to be replaced before 20"),
        ({"ocsp_response": "nothing"}, "/tls/ocsp_response", "is no OCSP response in DER form"),
        ({"ocsp_response": str(ocsp("chainless", certificates.good))}, "/tls/ocsp_response", "does not hold the certificate of the issuer"),
        ({"certificate": str(chained.file), "ocsp_response": str(ocsp("of-another", certificates.expired))}, "/tls/ocsp_response", "is about another certificate"),
        ({"certificate": str(chained.file), "ocsp_response": str(ocsp("revoked", certificates.good, revoked=True))}, "/tls/ocsp_response", "does not say that the certificate is good"),
        ({"certificate": str(chained.file), "ocsp_response": str(ocsp("forged", certificates.good, signer=certificates.other))}, "/tls/ocsp_response", "is not signed by"),
        ({"certificate": str(soon.file), "key": str(soon.key_file)}, None, "expires soon: 20"),
        ({"certificate": str(chained.file), "ocsp_response": str(ocsp("stale", certificates.good, until=NOW - DAY))}, None, "is stale, and no client will get it"),
    ]
    for tls, pointer, words in rows:
        gate.config["tls"] = {**good, **tls}
        gate.configure({})
        checked = gate.run("check")
        assert words in checked.stderr, (tls, checked.stderr)
        assert checked.returncode == (1 if pointer else 0), (tls, checked.stderr)
        assert not pointer or f"({pointer})" in checked.stderr
        if pointer:
            gate.launch()
            assert gate.wait() != 0
            assert words in gate.stderr()
            gate.checked = True


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_a_stapled_response(tls_gate, certificates):
    chained = certificates.authority.chain(certificates.good, "stapled.crt")
    file = certificates.authority.ocsp("stapled.ocsp", certificates.good)
    gate = tls_gate({"tls": {"ocsp_response": str(file)}}, certificate=chained)

    def stapled(*more):
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{gate.port}", "-CAfile", certificates.authority.file, "-servername", "localhost", *more]
        return subprocess.run(words, input="", capture_output=True, text=True, timeout=PATIENCE, check=False).stdout

    for version in ("-tls1_2", "-tls1_3"):
        said = stapled("-status", version)
        assert "OCSP Response Status: successful" in said and "Cert Status: good" in said, said
    certificates.authority.ocsp("stapled.ocsp", certificates.good, until=NOW - DAY)
    gate.reload()
    assert "OCSP response: no response sent" in stapled("-status")
    assert any("is stale" in line["detail"] for line in gate.log())


# Beside other parts.

def test_behind_a_proxy_header(tls_gate):
    """The header stands before the handshake, in clear; the client that it names is the one in the access log."""
    gate = tls_gate({"listen": [{"address": "127.0.0.1:0", "tls": True, "proxy_protocol": True}], "trusted_networks": ["127.0.0.1"]})
    connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
    connection.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n")
    with gate.tls().wrap_socket(connection, server_hostname="localhost") as secure:
        assert status(exchange(secure)) == 200
    assert gate.access_log()[0]["client"] == "192.0.2.7"
    connection = socket.create_connection((gate.host, gate.port), timeout=PATIENCE)
    with pytest.raises(OSError):  # and nothing but a header may stand there
        gate.tls().wrap_socket(connection, server_hostname="localhost")


def test_a_handshake_under_way_when_the_gate_stops(tls_gate):
    """It was let in: it is finished, and its request answered."""
    gate = tls_gate()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = gate.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection((gate.host, gate.port), timeout=PATIENCE) as connection:
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        connection.sendall(outgoing.read())
        incoming.write(connection.recv(65536))
        gate.signal(signal.SIGTERM)
        wait_until(lambda: any(line["event"] == "stop" for line in gate.log()), what="the stop")
        session.do_handshake()
        session.write(REQUEST)
        connection.sendall(outgoing.read())
        answer = b""
        while piece := connection.recv(65536):
            incoming.write(piece)
            try:
                answer += session.read(65536)
            except ssl.SSLWantReadError:
                pass
        assert status(answer) == 200 and b"connection: close\r\n" in answer
    assert gate.wait() == 0
