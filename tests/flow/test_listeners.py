"""Where clients come in: several listeners at once, UNIX sockets, sockets that systemd hands over, PROXY headers, X-Forwarded-For,
and the bound on connections of one address."""

import contextlib
import fcntl
import json
import os
import socket
import stat
import struct
import subprocess
import time

import pytest

from checks import assert_error
from processes import PATIENCE, wait_until
from world import READ, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}
TRUST_ALL = {"trusted_networks": ["127.0.0.0/8"]}
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def get(connection, token=READ.token, target=READ.target, fields=""):
    """One read on an open connection; the status, None when it was closed. The connection is kept."""
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {token}\r\n{fields}\r\n".encode())
    return read_status(connection)


def read_status(connection):
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return None
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", 0))
        while len(body) < length:
            body += connection.recv(65536)
    except ConnectionError:
        return None
    return int(head.split(b" ")[1])


def local(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(str(path))
    return connection


def clients(gate, count):
    """The addresses in the access log, once it has that many lines."""
    return [line["client"] for line in gate.access_log(count)]


def upstream_field(sandbox, name):
    return [value for field, value in sandbox.ledger()[-1]["headers"] if field.lower() == name]


@pytest.fixture
def short(tmp_path_factory):
    """A directory whose paths fit into a UNIX socket's address."""
    directory = tmp_path_factory.mktemp("s")
    assert len(str(directory)) < 90
    return directory


def fails(gate, *words):
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    for word in words:
        assert word in gate.stderr()


# UNIX sockets.

def test_all_kinds_at_once(make_gate, sandbox, short):
    path = short / "a.sock"
    gate = make_gate(sandbox, config={"listen": ["127.0.0.1:0", f"unix:{path}", {"address": "127.0.0.1:0"}], "workers": 3})
    addresses = json.loads(gate.port_file.read_text())["listen"]
    assert addresses[1] == f"unix:{path}"
    for address in (addresses[0], addresses[2]):
        gate.port = int(address.rpartition(":")[2])
        assert gate.request("GET", READ.target, READ.token).status == 200
    for _ in range(20):
        with local(path) as connection:
            assert get(connection) == 200
            assert get(connection) == 200
    with local(path) as connection:
        assert upstream_field(sandbox, "x-forwarded-for") == ["unknown"]
    assert sorted(clients(gate, 42)) == ["127.0.0.1"] * 2 + [f"unix:uid={os.getuid()},pid={os.getpid()}"] * 40


def test_curl_and_socat(make_gate, sandbox, short):
    path = short / "a.sock"
    gate = make_gate(sandbox, config={"listen": [f"unix:{path}"]})
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", path, "-H",
                           f"Authorization: Token {READ.token}", f"http://gate{READ.target}"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "200", done
    request = f"GET {READ.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {READ.token}\r\nConnection: close\r\n\r\n"
    done = subprocess.run(["socat", "-t", "5", "-", f"UNIX-CONNECT:{path}"], input=request, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.startswith("HTTP/1.1 200 "), done
    body = json.dumps(UPDATE.body)
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", path, "-X", UPDATE.method, "-H",
                           f"Authorization: Token {UPDATE.token}", "-H", "Content-Type: application/vnd.api+json", "-d", body,
                           f"http://gate{UPDATE.target}"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == str(UPDATE.status), done
    assert [record["client"].split(",")[0] for record in gate.exchanges()] == [f"unix:uid={os.getuid()}"] * 2


@pytest.mark.parametrize("mode", ["0600", "0666", None])
def test_mode_of_the_file(make_gate, sandbox, short, mode):
    path = short / "a.sock"
    make_gate(sandbox, config={"listen": [{"address": f"unix:{path}", **({"mode": mode} if mode else {})}]})
    assert stat.S_IMODE(path.stat().st_mode) == int(mode or "0660", 8)


def test_socket_file_comes_and_goes(make_gate, sandbox, short):
    """Gone after a stop, replaced after a crash, left alone when it is another's."""
    path = short / "a.sock"
    gate = make_gate(sandbox, config={"listen": [f"unix:{path}"]})
    gate.stop()
    assert not path.exists()
    gate.start()
    gate.kill()
    assert path.exists()
    gate.start()
    with local(path) as connection:
        assert get(connection) == 200
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        gate.stop()
        assert path.exists()
        local(path).close()


def test_socket_in_use_is_not_taken(make_gate, sandbox, short):
    path = short / "a.sock"
    first = make_gate(sandbox, config={"listen": [f"unix:{path}"]})
    second = make_gate(sandbox, config={"listen": ["127.0.0.1:0", f"unix:{path}"]}, start=False)
    fails(second, str(path), "another process listens there")
    assert not second.audit_directory.exists()
    with local(path) as connection:
        assert get(connection) == 200
    first.stop()
    path.write_text("a file")
    second.checked = False
    fails(second, str(path), "no socket")
    assert path.read_text() == "a file"


def test_unix_listener_stops(make_gate, sandbox, short):
    path = short / "a.sock"
    gate = make_gate(sandbox, config={"listen": [f"unix:{path}"]})
    with local(path) as idle:
        assert get(idle) == 200
        gate.stop()
        assert idle.recv(1) == b""


# systemd.

def activate(gate, sockets, names, pid="$$"):
    """The gate starts as a service manager starts it: descriptors from 3 on, told in the environment."""
    script = "".join(f"exec {3 + index}<&{sock.fileno()}; " for index, sock in enumerate(sockets))
    script += f"LISTEN_PID={pid} LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={':'.join(names)} exec \"$@\""
    command = gate.command()
    gate.command = lambda: ["bash", "-c", script, "bash", *command]
    gate.inherited = tuple(sock.fileno() for sock in sockets)


@pytest.fixture
def listening(short):
    """Listening sockets with descriptors far from those that a service manager uses."""
    with contextlib.ExitStack() as stack:
        def make(family, address):
            sock = socket.socket(family)
            sock.bind(address)
            sock.listen(16)
            moved = socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 100))
            sock.close()
            return stack.enter_context(moved)

        yield make


def test_systemd_hands_over(make_gate, sandbox, listening, short):
    tcp, other, path = listening(socket.AF_INET, ("127.0.0.1", 0)), listening(socket.AF_INET, ("127.0.0.1", 0)), short / "d.sock"
    unix = listening(socket.AF_UNIX, str(path))
    gate = make_gate(sandbox, config={"listen": ["systemd:http", "systemd:local"]}, start=False)
    activate(gate, [tcp, unix, other], ["http", "local", "http"])
    gate.start()
    assert json.loads(gate.port_file.read_text())["listen"] == [f"127.0.0.1:{tcp.getsockname()[1]}", f"unix:{path}"]
    for sock in (tcp, other):
        with socket.create_connection(sock.getsockname(), PATIENCE) as connection:
            assert get(connection) == 200
    with local(path) as connection:
        assert get(connection) == 200
    environment = open(f"/proc/{gate.process.pid}/environ").read()
    assert "LISTEN_FDS" in environment  # what it was started with; a child of its own must not see it
    gate.stop()
    assert path.exists(), "it is systemd's"


@pytest.mark.parametrize("names, listen, words", [
    (["http"], ["127.0.0.1:0"], ["a socket named", "systemd:http", "no listener"]),
    (["http", "more"], ["systemd:http"], ["systemd:more", "no listener"]),
    (["http"], ["systemd:https"], ["systemd:https", "no socket of that name"]),
    ([], ["systemd:http"], ["systemd:http", "no socket of that name"]),
])
def test_systemd_hands_over_something_else(make_gate, sandbox, listening, names, listen, words):
    gate = make_gate(sandbox, config={"listen": listen}, start=False)
    activate(gate, [listening(socket.AF_INET, ("127.0.0.1", 0)) for _ in names], names)
    fails(gate, *words)


def test_systemd_hands_over_to_another_process(make_gate, sandbox, listening):
    gate = make_gate(sandbox, config={"listen": ["systemd:http"]}, start=False)
    activate(gate, [listening(socket.AF_INET, ("127.0.0.1", 0))], ["http"], pid="1")
    fails(gate, "systemd:http")


def test_systemd_hands_over_no_listener(make_gate, sandbox, listening):
    gate = make_gate(sandbox, config={"listen": ["systemd:http"]}, start=False)
    one, _ = socket.socketpair()
    with one:
        activate(gate, [one], ["http"])
        fails(gate, "systemd:http", "no listening stream socket")


# PROXY headers.

def v2(command, family, block):
    return V2 + bytes([0x20 | command, family]) + struct.pack("!H", len(block)) + block


def four(source, port):
    return socket.inet_aton(source) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", port, 443)


def six(source, port):
    return socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::ff") + struct.pack("!HH", port, 443)


HEADERS = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.1 1234 443\r\n", "192.0.2.1"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n", "2001:db8::1"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (v2(1, 0x11, four("192.0.2.2", 1234)), "192.0.2.2"),
    (v2(1, 0x21, six("2001:db8::2", 1234)), "2001:db8::2"),
    (v2(1, 0x31, bytes(216)), "unix"),
    (v2(0, 0, b""), "127.0.0.1"),
    (v2(1, 0x11, four("192.0.2.3", 1) + b"\x05\0\x04abcd"), "192.0.2.3"),
]


@pytest.fixture
def proxied(make_gate, sandbox):
    return make_gate(sandbox, config={"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}], **ADMIN, **TRUST_ALL})


def test_proxy_header(proxied, sandbox):
    for header, _ in HEADERS:
        with proxied.connect() as connection:
            connection.sendall(header)
            assert get(connection) == 200
            assert get(connection) == 200
    expected = [client for _, client in HEADERS for _ in (1, 2)]
    assert sorted(clients(proxied, len(expected))) == sorted(expected)
    told = [value for line in sandbox.ledger() for name, value in line["headers"] if name.lower() == "x-forwarded-for"]
    assert told == ["unknown" if client == "unix" else client for client in expected]


def test_proxy_header_in_pieces_and_with_the_request(proxied):
    request = f"GET {READ.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {READ.token}\r\n\r\n".encode()
    for header, _ in HEADERS:
        with proxied.connect() as connection:
            connection.sendall(header + request)
            assert read_status(connection) == 200
    for header, _ in HEADERS[:4]:
        with proxied.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(header)):
                connection.sendall(header[at:at + 1])
            connection.sendall(request)
            assert read_status(connection) == 200


def test_curl_speaks_proxy(proxied):
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--haproxy-protocol", "-H",
                           f"Authorization: Token {READ.token}", proxied.url + READ.target], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "200", done
    assert clients(proxied, 1) == ["127.0.0.1"]


BAD = [
    b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n", b"PROXY TCP4 192.0.2.1 198.51.100.1 1234\r\n", b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
    v2(1, 0x12, four("192.0.2.1", 1)), v2(2, 0x11, four("192.0.2.1", 1)), v2(1, 0x11, b"1234"),
    v2(1, 0x11, four("192.0.2.1", 1) + b"\x03\0\x04\0\0\0\0"), b"\x16\x03\x01\x02\x00",
]


def test_proxy_header_missing_or_malformed(proxied, sandbox):
    for bad in BAD:
        assert proxied.raw(bad) == b"", bad
    with proxied.connect():
        pass
    metric = 'portcullis_connections_refused_total{reason="proxy-header"}'
    wait_until(lambda: proxied.metrics()[metric] == len(BAD) + 1, what="the count")
    assert sandbox.ledger() == []
    events = [line for line in proxied.log() if line["event"] == "proxy-header"]
    assert len(events) == 1 and "connection from 127.0.0.1 refused: PROXY header: there is none" in events[0]["detail"]
    with proxied.connect() as connection:
        connection.sendall(HEADERS[0][0])
        assert get(connection) == 200


def test_proxy_header_has_a_deadline(make_gate, sandbox):
    gate = make_gate(sandbox, config={"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}], **TRUST_ALL,
                                      "limits": {"header_timeout_ms": 300}})
    began = time.monotonic()
    with gate.connect() as silent, gate.connect() as slow:
        slow.sendall(b"PROXY TCP4 192")
        assert silent.recv(1) == b""
        assert slow.recv(1) == b""
    assert 0.25 < time.monotonic() - began < 5
    assert any("did not come in time" in line["detail"] for line in gate.log())


def test_proxy_header_of_a_stranger(make_gate, sandbox):
    gate = make_gate(sandbox, config={"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}, "127.0.0.1:0"],
                                      "trusted_networks": ["192.0.2.0/24", "::1"]})
    assert gate.raw(HEADERS[0][0]) == b""
    assert any("127.0.0.1" in line["detail"] and "trusted_networks" in line["detail"] for line in gate.log())
    gate.port = int(json.loads(gate.port_file.read_text())["listen"][1].rpartition(":")[2])
    assert gate.raw(HEADERS[0][0]).startswith(b"HTTP/1.1 501 "), "no listener believes a header that was not asked for"


def test_proxy_header_over_a_unix_socket(make_gate, sandbox, short):
    path = short / "p.sock"
    gate = make_gate(sandbox, config={"listen": [{"address": f"unix:{path}", "proxy_protocol": True}]})
    with local(path) as connection:
        connection.sendall(HEADERS[0][0])
        assert get(connection) == 200
    assert clients(gate, 1) == ["192.0.2.1"]


def test_stop_does_not_wait_for_a_proxy_header(proxied):
    with proxied.connect() as connection:
        connection.sendall(b"PROXY TCP4 ")
        proxied.signal(15)
        assert proxied.wait(5) == 0
        assert connection.recv(1) == b""


# X-Forwarded-For.

@pytest.mark.parametrize("trusted, fields, client", [
    (["127.0.0.1"], "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
    (["127.0.0.1", "10.0.0.0/8"], "X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.1\r\n", "192.0.2.1"),
    (["127.0.0.1"], "X-Forwarded-For: 2001:DB8::1\r\n", "2001:db8::1"),
    (["127.0.0.1"], "X-Forwarded-For: nonsense\r\n", "127.0.0.1"),
    (["127.0.0.1"], "Forwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n", "127.0.0.1"),
    ([], "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1"),
    (["10.0.0.0/8"], "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1"),
])
def test_forwarded_for(make_gate, sandbox, trusted, fields, client):
    gate = make_gate(sandbox, config={"trusted_networks": trusted})
    with gate.connect() as connection:
        assert get(connection, fields=fields) == 200
        assert upstream_field(sandbox, "x-forwarded-for") == [client]
        assert upstream_field(sandbox, "forwarded") == upstream_field(sandbox, "x-real-ip") == []
        body = json.dumps(UPDATE.body)
        connection.sendall((f"{UPDATE.method} {UPDATE.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {UPDATE.token}\r\n{fields}"
                            f"Content-Type: application/vnd.api+json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        assert read_status(connection) == UPDATE.status
        assert get(connection) == 200, "each request for itself"
    assert clients(gate, 3) == [client, client, "127.0.0.1"]
    assert [record["client"] for record in gate.exchanges()] == [client] * 2


def test_forwarded_for_over_a_unix_socket(make_gate, sandbox, short):
    path = short / "f.sock"
    gate = make_gate(sandbox, config={"listen": [f"unix:{path}"], "trusted_networks": ["unix:"]})
    with local(path) as connection:
        assert get(connection, fields="X-Forwarded-For: 192.0.2.1\r\n") == 200
    assert clients(gate, 1) == ["192.0.2.1"]


def test_refused_requests_are_forwarded_for(make_gate, sandbox):
    gate = make_gate(sandbox, config=TRUST_ALL)
    with gate.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: gate\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: x\r\n\r\n")
        assert read_status(connection) == 400
    with gate.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: gate\r\nX-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n")
        assert read_status(connection) == 400
    assert sorted(clients(gate, 2)) == ["127.0.0.1", "192.0.2.1"], "what was not understood says nothing"


# Connections of one address.

METRIC = 'portcullis_connections_refused_total{reason="address"}'


def test_connections_per_address(make_gate, sandbox, short):
    """Over all workers; one too many is closed, and when others end there is room again. UNIX clients are not counted."""
    path = short / "c.sock"
    gate = make_gate(sandbox, config={"limits": {"connections_per_address": 5}, "workers": 4, "listen": ["127.0.0.1:0", f"unix:{path}"], **ADMIN})
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(gate.connect()) for _ in range(5)]
        assert [get(connection) for connection in held] == [200] * 5
        for _ in range(3):
            with gate.connect() as more:
                assert get(more) is None
        locals_ = [stack.enter_context(local(path)) for _ in range(8)]
        assert [get(connection) for connection in locals_] == [200] * 8
        assert gate.metrics()[METRIC] == 3
        assert len([line for line in gate.log() if line["event"] == "connections-per-address"]) == 1
        held[0].close()

        def room():
            with gate.connect() as another:
                return get(another) == 200

        wait_until(room, what="room for another connection")
        assert get(held[1]) == 200
    with contextlib.ExitStack() as stack:
        wait_until(lambda: all(get(stack.enter_context(gate.connect())) == 200 for _ in range(5)) or stack.close(), what="room for all")


def test_connections_per_address_behind_proxies(make_gate, sandbox):
    """Whom the proxy names is counted, not the proxy."""
    gate = make_gate(sandbox, config={"limits": {"connections_per_address": 2}, **ADMIN, **TRUST_ALL,
                                      "listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}, "127.0.0.1:0"]})
    with contextlib.ExitStack() as stack:
        for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"):
            connection = stack.enter_context(gate.connect())
            connection.sendall(f"PROXY TCP4 {client} 198.51.100.1 1 2\r\n".encode())
            assert get(connection) == 200
        with gate.connect() as connection:
            connection.sendall(b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n")
            assert get(connection) is None
        gate.port = int(json.loads(gate.port_file.read_text())["listen"][1].rpartition(":")[2])
        spoken = [stack.enter_context(gate.connect()) for _ in range(4)]
        assert [get(connection) for connection in spoken] == [200] * 4, "a trusted proxy may have any number"
        assert get(spoken[0], fields="X-Forwarded-For: 192.0.2.3\r\n") == 200
        assert get(spoken[1], fields="X-Forwarded-For: 192.0.2.3\r\n") == 200
        assert get(spoken[1], fields="X-Forwarded-For: 192.0.2.3\r\n") == 200
        assert get(spoken[2], fields="X-Forwarded-For: 192.0.2.3\r\n") == 429
        assert get(spoken[2], fields="X-Forwarded-For: 192.0.2.4\r\n") == 200
        answer = gate.request("GET", READ.target, READ.token, headers={"X-Forwarded-For": "192.0.2.1"})
        assert_error(answer, 429, "too-many-connections")
        assert answer.field("Retry-After") == "1"
        assert gate.metrics()[METRIC] == 3


def test_descriptors_are_given_back(make_gate, sandbox, short):
    """Whatever way a connection ends."""
    path = short / "l.sock"
    gate = make_gate(sandbox, config={"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True}, f"unix:{path}"], **TRUST_ALL,
                                      "limits": {"connections_per_address": 1, "header_timeout_ms": 200}})

    def descriptors():
        return len(os.listdir(f"/proc/{gate.process.pid}/fd"))

    def use():
        for bad in BAD:
            gate.raw(bad)
        with gate.connect() as one, gate.connect() as two, gate.connect() as three:
            one.sendall(HEADERS[0][0])
            two.sendall(HEADERS[0][0])
            assert sorted([get(one) or 0, get(two) or 0]) == [0, 200]
            assert three.recv(1) == b""
        with local(path) as connection:
            assert get(connection) == 200

    use()
    before = descriptors()
    for _ in range(10):
        use()
    wait_until(lambda: descriptors() <= before + 4, what="the descriptors to be given back, but for the pools' connections")
