"""The admin listener: what it answers and to whom, what it makes of hostile bytes, and what it says of the gate's health."""

import contextlib
import json
import pathlib
import signal
import socket
import stat
import subprocess
import threading
import time

import jsonschema
import pytest
import world

from checks import ERROR_DOCUMENT
from processes import PATIENCE, SANITIZER, Gate, Sandbox, wait_until
from world import READ, SECRETS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}
PAGES = ["/livez", "/readyz", "/readyz/reads", "/metrics"]
TOKEN = "a-token-for-the-admin-listener"


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    """A gate for all tests that only ask."""
    directory = tmp_path_factory.mktemp("admin")
    sandbox = Sandbox(directory, fixtures=world.FIXTURES).start()
    gate = Gate(directory, sandbox, world.policy(), ADMIN).start()
    yield gate
    gate.stop()
    sandbox.stop()


def status(reply):
    return int(reply.split(b" ", 2)[1]) if reply else None


def assert_refused(reply, expected):
    """An error document, whole, and the connection closed behind it."""
    head, _, body = reply.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert status(reply) == expected, reply
    assert fields[b"connection"] == b"close" and fields[b"content-type"] == b"application/vnd.api+json", reply
    assert int(fields[b"content-length"]) == len(body), reply
    document = json.loads(body)
    jsonschema.validate(document, ERROR_DOCUMENT)
    assert document["errors"][0]["status"] == str(expected)
    return document["errors"][0]


# ---- what is there ----

@pytest.mark.parametrize("page", PAGES)
def test_pages(admin, page):
    answer = admin.admin("GET", page)
    assert answer.status == 200, answer
    assert answer.field("Cache-Control") == "no-store" and answer.field("Connection") == "close"
    assert int(answer.field("Content-Length")) == len(answer.body) > 0
    head = admin.admin("HEAD", page)
    assert (head.status, head.body, head.field("Content-Type")) == (200, b"", answer.field("Content-Type"))
    old = admin.admin_raw(f"GET {page} HTTP/1.0\r\n\r\n".encode())
    assert old.startswith(b"HTTP/1.1 200 ") and old.endswith(b"\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics?", "/metrics?x=1", "/metrics#x", "/METRICS", "//metrics", "/./metrics", "/%6detrics", "/livez/x",
                                  "/readyz/", "/readyz/journal", "http://admin/metrics", "*", "/rest/self"])
def test_no_other_path_is_there(admin, path):
    error = assert_refused(admin.admin_raw(f"GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n".encode()), 404)
    assert "/metrics" in error["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_takes_orders(admin, method):
    reply = admin.admin_raw(f"{method} /metrics HTTP/1.1\r\nHost: admin\r\n\r\n".encode())
    assert_refused(reply, 405)
    assert b"\r\nallow: GET, HEAD\r\n" in reply.lower().replace(b"get, head", b"GET, HEAD")


# ---- hostile bytes ----

GET = b"GET /livez HTTP/1.1\r\nHost: admin\r\n"
HOSTILE = [
    (GET + b"Content-Length: 1\r\n\r\nx", 413), (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    (GET + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400), (GET + b"Content-Length: -1\r\n\r\n", 400),
    (GET + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 400), (GET + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (GET + b"Expect: 200-maybe\r\n\r\n", 417), (GET + b"Host: again\r\n\r\n", 400), (GET + b"X : y\r\n\r\n", 400),
    (GET + b"X: a\r\n b\r\n\r\n", 400), (GET + b"X: \x00\r\n\r\n", 400), (GET + b"X\r\n\r\n", 400), (GET + b": x\r\n\r\n", 400),
    (b"GET /livez HTTP/1.1\nHost: admin\n\n", 400), (b"GET /livez HTTP/1.1\r\n\r\n", 400), (b"GET /livez\r\n\r\n", 400),
    (b"GET  /livez HTTP/1.1\r\nHost: admin\r\n\r\n", 400), (b"GET /livez HTTP/2.0\r\nHost: admin\r\n\r\n", 505),
    (b"GET /livez HTTP/1.2\r\nHost: admin\r\n\r\n", 505), (b"get /livez HTTP/1.1\r\nHost: admin\r\n\r\n", 501),
    (b"BREW /livez HTTP/1.1\r\nHost: admin\r\n\r\n", 501), (b"CONNECT admin:1 HTTP/1.1\r\nHost: admin\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400),
    (b"\x00" * 16, 400), (b"\xff" * 16, 400), (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: admin\r\n\r\n", 414),
    (GET + b"X: " + b"a" * 5000 + b"\r\n\r\n", 431), (GET + b"X: y\r\n" * 100 + b"\r\n", 431), (b"\r\n" * 200, 400),
    (b"GET /livez\x00 HTTP/1.1\r\nHost: admin\r\n\r\n", 400),
]


@pytest.mark.parametrize("request_bytes, expected", HOSTILE, ids=[f"{i}-{row[0][:24]!r}" for i, row in enumerate(HOSTILE)])
def test_hostile_bytes(admin, request_bytes, expected):
    """Whole, and a byte at a time: the same refusal; and the next one is served."""
    assert_refused(admin.admin_raw(request_bytes), expected)
    with admin.admin_connection() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(min(len(request_bytes), 400)):
                connection.sendall(request_bytes[at:at + 1])
            connection.sendall(request_bytes[400:])
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                reply += piece
    assert_refused(reply, expected)
    assert admin.admin("GET", "/livez").status == 200


def test_one_reply_then_the_end(admin):
    """What is pipelined behind a request is not read as another; empty lines in front are passed over."""
    good = b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n"
    reply = admin.admin_raw(b"\r\n\r\n" + good + good + b"GET /nowhere HTTP/1.1\r\n\r\n" + b"x" * 1000)
    assert status(reply) == 200 and reply.count(b"HTTP/1.1") == 1 and reply.endswith(b"}}\n")


def test_many_connections_keep_nobody_out(admin):
    """Of more than it serves at a time the oldest are closed; whoever asks is answered. Silence is ended too."""
    begin = time.monotonic()
    held = []
    for _ in range(80):
        connection = admin.admin_connection()
        connection.sendall(b"GET /livez HT")
        held.append(connection)
        assert admin.admin("GET", "/livez").status == 200
    closed = 0
    for connection in held[:40]:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        closed += 1
    assert closed == 40 and time.monotonic() - begin < 4.5, "those were closed for room, not for time"
    for connection in held[40:]:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b"", "closed when its time is over"
        connection.close()
    assert time.monotonic() - begin < 30


def test_one_address_keeps_no_other_out(admin):
    """Of more than it serves, those of the address that has most are closed."""
    if not isinstance(admin.admin_address, tuple):
        pytest.skip("a socket of UNIX has no addresses")
    with socket.create_connection(admin.admin_address, timeout=PATIENCE, source_address=("127.0.0.2", 0)) as patient:
        patient.sendall(b"GET /livez HTTP/1.1\r\n")
        held = [admin.admin_connection() for _ in range(80)]
        assert admin.admin("GET", "/livez").status == 200
        patient.sendall(b"Host: admin\r\n\r\n")
        assert patient.makefile("rb").readline().split()[1] == b"200"
    for connection in held:
        connection.close()
    wait_until(lambda: admin.metrics()["portcullis_admin_connections_given_up_total"] >= 80, what="those without a reply to be counted")


def test_a_reader_that_does_not_read(admin):
    """Many who ask for the page and do not take it hold up nobody."""
    held = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(admin.admin_address)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n")
        held.append(connection)
    assert admin.admin("GET", "/metrics").status == 200
    for connection in held:
        connection.close()
    assert admin.request("GET", READ.target, READ.token).status == 200


def test_refusals_are_counted_and_logged(make_gate, sandbox):
    gate = make_gate(sandbox, config=ADMIN)
    for _ in range(3):
        gate.admin_raw(b"GET /secret-path HTTP/1.1\r\nHost: admin\r\n\r\n")
    assert gate.metrics()["portcullis_admin_refusals_total"] == 3
    logged = [line for line in gate.log() if line["event"] == "admin-refused"]
    assert len(logged) == 1 and "404 portcullis-no-such-operation" in logged[0]["detail"]
    assert "secret-path" not in gate.stderr()


# ---- who may ask ----

def test_elsewhere_only_with_a_token(make_gate, sandbox):
    gate = make_gate(sandbox, config={"admin": {"listen": "0.0.0.0:0"}}, start=False)
    done = gate.run("check")
    assert done.returncode == 1 and "admin.token" in done.stdout + done.stderr
    gate.configure({"admin": {"token": {"env": "ADMIN_TOKEN"}}})
    gate.extra_environment = {"ADMIN_TOKEN": TOKEN}
    done = gate.run("check")
    assert done.returncode == 0 and "in clear" in done.stdout + done.stderr
    gate.start()
    assert_refused(gate.admin_raw(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n"), 401)
    assert gate.admin("GET", "/livez", {"Authorization": f"Bearer {TOKEN}"}).status == 200


@pytest.mark.parametrize("address", ["systemd:admin", "localhost:9464", "unix:relative", "9464", ""])
def test_addresses_that_are_none(make_gate, sandbox, address):
    gate = make_gate(sandbox, config={"admin": {"listen": address}}, start=False)
    done = gate.run("check")
    assert done.returncode == 1 and "admin.listen" in done.stdout + done.stderr


def test_a_token_is_demanded_and_can_be_replaced(make_gate, sandbox, tmp_path):
    file = tmp_path / "admin.token"
    file.write_text(TOKEN + "\n")
    gate = make_gate(sandbox, config={"admin": {"listen": "127.0.0.1:0", "token": {"file": str(file)}}})

    def shown(value):
        return gate.admin("GET", "/metrics", {"Authorization": value} if value else {})

    assert shown(f"Bearer {TOKEN}").status == shown(f"bearer {TOKEN}").status == 200
    for value in (None, TOKEN, f"Token {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Bearer {READ.token}"):
        answer = shown(value)
        assert answer.status == 401 and answer.field("WWW-Authenticate").startswith("Bearer "), (value, answer)
    # Who has none learns nothing: not what is there either.
    for line in (b"GET /nowhere", b"DELETE /metrics"):
        assert_refused(gate.admin_raw(line + b" HTTP/1.1\r\nHost: admin\r\n\r\n"), 401)
    twice = f"GET /livez HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    assert_refused(gate.admin_raw(twice.encode()), 401)

    file.write_text("another-token-for-it")
    gate.reload()
    wait_until(lambda: shown("Bearer another-token-for-it").status == 200, what="the new token")
    assert shown(f"Bearer {TOKEN}").status == 401
    file.write_text("")
    gate.reload()
    assert shown("Bearer another-token-for-it").status == 200, "one that cannot be read leaves the old one"
    page = shown("Bearer another-token-for-it").body.decode()
    assert 'portcullis_reloads_total{result="failed"} 1\n' in page
    assert "admin.token" in gate.stderr()
    for text in (gate.stderr(), page, gate.access_file.read_text()):
        assert not [secret for secret in (*SECRETS, TOKEN, "another-token-for-it") if secret in text]


def test_a_token_that_cannot_be_read_keeps_the_gate_from_starting(make_gate, sandbox):
    gate = make_gate(sandbox, config={"admin": {"listen": "127.0.0.1:0", "token": {"file": "/nonexistent/token"}}}, start=False)
    done = gate.run("serve")
    assert done.returncode != 0 and "admin.token: file /nonexistent/token" in done.stderr


def test_unix_socket(make_gate, sandbox, tmp_path):
    path = tmp_path / "admin.sock"
    gate = make_gate(sandbox, config={"admin": {"listen": f"unix:{path}"}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_ISSOCK(path.stat().st_mode)
    assert [gate.admin("GET", page).status for page in PAGES] == [200] * 4
    assert_refused(gate.admin_raw(b"GET / HTTP/1.1\r\nHost: admin\r\n\r\n"), 404)
    gate.stop()
    assert not path.exists()


# ---- health ----

def test_health_of_a_gate_that_is_well(admin):
    assert admin.health("livez") == (200, {"workers": {"ok": True}})
    ready, checks = admin.health()
    assert ready == 200 and set(checks) == {"stopping", "policy", "upstream", "journal", "shipping"}
    assert checks["shipping"]["lag_records"] == {} and checks["policy"]["digest"].startswith("sha256:")
    reads, checks = admin.health("readyz/reads")
    assert reads == 200 and set(checks) == {"stopping", "policy", "upstream"}


def test_an_upstream_that_is_gone(make_gate, make_sandbox):
    """Known from what requests met; and known again when one is answered."""
    sandbox = make_sandbox()
    gate = make_gate(sandbox, config={**ADMIN, "upstream": {"eject_failures": 3, "eject_seconds": 1}})
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert gate.health()[0] == 200
    port = sandbox.port
    sandbox.stop()

    def found_out():
        assert gate.request("GET", READ.target, READ.token).status == 502
        return not gate.health()[1]["upstream"]["ok"]

    wait_until(found_out, what="the gate to give its upstream up")
    for page in ("readyz", "readyz/reads"):
        code, checks = gate.health(page)
        assert code == 503 and "address" in checks["upstream"]["why"]
    assert gate.health("livez")[0] == 200
    make_sandbox(listen=f"127.0.0.1:{port}")
    wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 200 and gate.health()[0] == 200, what="the upstream's return")


def test_a_name_that_leads_nowhere(make_gate):
    gate = make_gate("http://nowhere.invalid:1", config=ADMIN)
    code, checks = wait_until(lambda: (found := gate.health())[0] == 503 and "cannot resolve" in found[1]["upstream"].get("why", "") and found,
                              what="a word on the name")
    assert [name for name, check in checks.items() if not check["ok"]] == ["upstream"]


def test_shipping_that_lags_is_a_detail(make_gate, sandbox, tmp_path):
    gate = make_gate(sandbox, config={**ADMIN, "ship": {"syslog": f"unix:{tmp_path}/nobody-listens"}})
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    code, checks = wait_until(lambda: (found := gate.health())[1]["shipping"]["lag_records"].get("syslog", 0) > 0 and found, what="a lag")
    assert code == 200 and checks["shipping"]["ok"]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_stopping(make_gate, sandbox, tmp_path, kind):
    """A gate that drains is alive and not ready."""
    gate = make_gate(sandbox, config=ADMIN if kind == "tcp" else {"admin": {"listen": f"unix:{tmp_path}/admin.sock"}})
    sandbox.fault({"delay_ms": 2000})
    answers = []
    slow = threading.Thread(target=lambda: answers.append(gate.request("GET", READ.target, READ.token)))
    slow.start()
    wait_until(sandbox.ledger, what="the request at the upstream")
    gate.signal(signal.SIGTERM)
    code, checks = wait_until(lambda: (found := gate.health())[0] == 503 and found, what="the gate to say that it stops")
    assert [name for name, check in checks.items() if not check["ok"]] == ["stopping"]
    assert gate.health("readyz/reads")[0] == 503
    assert gate.health("livez")[0] == 200
    slow.join()
    assert [answer.status for answer in answers] == [200]
    assert gate.process.wait(PATIENCE) == 0


@contextlib.contextmanager
def hung(task, tmp_path, calls="epoll_wait,epoll_pwait,epoll_pwait2"):
    """One thread is held in its wait for events (or in another call), by strace's hand, until the block is left."""
    errors = tmp_path / "strace.stderr"
    with open(errors, "ab") as file:
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", task.name, "-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter=60000000:when=1"],
                                  stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        def held():
            if tracer.poll() is not None:
                pytest.skip(f"strace cannot be used here: {errors.read_text()}")
            lines = (task / "status").read_text().splitlines()
            return f"TracerPid:\t{tracer.pid}" in lines

        wait_until(held, what="strace to hold the thread")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer's threads cannot be traced one by one")
def test_a_worker_that_hangs_is_named(make_gate, sandbox, tmp_path):
    gate = make_gate(sandbox, config={**ADMIN, "workers": 2})

    def named():  # each thread names itself, when it gets to run
        tasks = {(task / "comm").read_text().strip(): task for task in pathlib.Path(f"/proc/{gate.process.pid}/task").iterdir()}
        return {"worker-0", "worker-1"} <= set(tasks) and tasks

    tasks = wait_until(named, what="the names of the workers' threads")
    with hung(tasks["worker-1"], tmp_path):
        code, checks = wait_until(lambda: (found := gate.health("livez"))[0] == 503 and found, what="the hanging worker's name")
        assert checks["workers"]["why"].startswith("worker 1 hangs"), checks
        assert gate.metrics()["portcullis_worker_silence_seconds"] > 5
        assert gate.health()[0] == 200
    wait_until(lambda: gate.health("livez")[0] == 200, what="the worker's return")
    assert gate.metrics()["portcullis_worker_silence_seconds"] < 2
