"""Shipping: the journal as a stream to syslog and a webhook. All of it arrives, in order, at least once; and the gate never waits for it."""

import json
import re
import signal
import socket
import ssl
import threading
import time

import pytest

import world
from processes import PATIENCE, wait_until
from upstreams import ScriptedUpstream, answer
from world import CREATE, DELETE, TOKENS, UPDATE

SECRET = "MARKEDsecret0001"
PATH_SECRET = "MARKEDsecret0002"
MESSAGE = re.compile(rb'<(\d+)>1 (\S+) (\S+) portcullis (\d+) (\S+) \[portcullis@32473 seq="(\d+)"(?: request_id="([^"]+)")?\] (.*)', re.DOTALL)


class Message:
    """A syslog message, taken apart."""

    def __init__(self, data):
        match = MESSAGE.fullmatch(data)
        assert match, data
        priority, self.time, self.host, self.process, self.id, self.seq, self.request_id, self.text = match.groups()
        assert int(priority) >> 3 == 13
        self.severity = int(priority) & 7
        self.seq = int(self.seq)


class Sink:
    """Takes syslog messages, as datagrams or in streams, until it is closed."""

    def __init__(self, listener, read, context=None):
        self.listener = listener
        self.read = read
        self.context = context
        self.messages = []
        self.connections = []
        self.failures = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            if self.listener.type == socket.SOCK_DGRAM:
                while data := self.listener.recv(1 << 20):
                    self.messages.append(Message(data))
                return
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.connections.append(connection)
            with connection.makefile("rb") as stream:
                while (data := self.read(stream)) is not None:
                    self.messages.append(Message(data))
        except (OSError, ssl.SSLError) as failure:
            self.failures.append(failure)

    def seqs(self):
        return [message.seq for message in list(self.messages)]

    def drop(self):
        """Closes what is connected."""
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.connections.clear()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def read_line(stream):
    line = stream.readline()
    return line[:-1] if line.endswith(b"\n") else None


def read_counted(stream):
    """RFC 5425, 4.3: MSG-LEN SP SYSLOG-MSG."""
    digits = b""
    while (byte := stream.read(1)) not in (b" ", b""):
        assert byte.isdigit(), byte
        digits += byte
    if not byte:
        return None
    data = stream.read(int(digits))
    return data if len(data) == int(digits) else None


@pytest.fixture
def sinks():
    made = []
    yield made
    for sink in made:
        sink.close()


@pytest.fixture
def unix_sink(tmp_path, sinks):
    def make(kind=socket.SOCK_DGRAM, name="log"):
        path = tmp_path / name
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(str(path))
        if kind == socket.SOCK_STREAM:
            listener.listen(8)
        sinks.append(Sink(listener, read_line))
        return sinks[-1], f"unix:{path}"

    return make


@pytest.fixture
def tls_sink(sinks):
    def make(certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key_file)
        sinks.append(Sink(socket.create_server(("127.0.0.1", 0)), read_counted, context))
        return sinks[-1], f"tls://localhost:{sinks[-1].listener.getsockname()[1]}"

    return make


@pytest.fixture
def ship_gate(make_gate, sandbox, tmp_path):
    def make(start=True, environment=None, **settings):
        return make_gate(sandbox, config={"admin": {"listen": "127.0.0.1:0"}, "ship": {"state": "state", **settings}},
                         environment=environment, start=start)

    return make


def mutate(gate, count=1):
    for _ in range(count):
        assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=world.another().body).status == 200


def lines_of(gate):
    """The journal's lines as bytes; their place is their number."""
    return [line for segment in gate.segments() for line in segment.read_bytes().split(b"\n")[:-1]]


def wait_for_all(gate, got):
    """Until as many numbers came as the journal has; then they must be all of them, in order, each once."""
    lines = lines_of(gate)
    wait_until(lambda: len(set(got())) >= len(lines), what=f"{len(lines)} records; there are {got()}")
    return lines


def ship_log(gate):
    return [line for line in gate.log() if line["event"] == "ship"]


def lag(gate, name):
    return gate.metrics()[f'portcullis_ship_lag_records{{destination="{name}"}}']


# Syslog.

@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_unix_socket(ship_gate, unix_sink, kind):
    sink, place = unix_sink(kind)
    gate = ship_gate(syslog=place)
    mutate(gate, 3)
    assert gate.request("DELETE", DELETE.target, TOKENS["viewer"]).status == 403
    assert gate.request("DELETE", DELETE.target, DELETE.token).status == 204
    wait_for_all(gate, sink.seqs)
    wait_until(lambda: lag(gate, "syslog") == 0, what="no lag")
    gate.stop()
    lines = wait_for_all(gate, sink.seqs)  # the last one, written by the stop, too
    assert sink.seqs() == list(range(1, len(lines) + 1))
    severities = {("refused", "DELETE"): 4, ("intent", "DELETE"): 5, ("outcome", "DELETE"): 4, ("intent", "PATCH"): 6,
                  ("outcome", "PATCH"): 6}
    seen = set()
    for message, line in zip(sink.messages, lines):
        record = json.loads(line)
        assert message.text == line
        assert (message.id.decode(), message.time.decode(), message.seq) == (record["stage"], record["time"], record["seq"])
        assert int(message.process) == gate.process.pid
        assert (message.request_id or b"").decode() == record.get("request_id", "")
        key = (record["stage"], record.get("method"))
        if key in severities:
            seen.add(key)
            assert message.severity == severities[key], record
    assert seen == set(severities)


def test_unknown_outcome_is_an_error(ship_gate, unix_sink, sandbox):
    sink, place = unix_sink()
    gate = ship_gate(syslog=place)
    sandbox.fault({"close": "after-read"}, {"method": "DELETE"})
    assert gate.request("DELETE", DELETE.target, DELETE.token).status == 502
    message = wait_until(lambda: next((m for m in sink.messages if m.id == b"outcome"), None), what="the outcome")
    assert json.loads(message.text)["result"] == "unknown"
    assert message.severity == 3


def test_long_record_goes_without_its_body(ship_gate, unix_sink):
    sink, place = unix_sink()
    gate = ship_gate(syslog=place)
    body = json.loads(json.dumps(CREATE.body))
    body["data"]["attributes"]["profile_name"] = "n" * 20000
    gate.request("POST", CREATE.target, CREATE.token, body=body)
    lines = wait_for_all(gate, sink.seqs)
    assert sink.seqs() == list(range(1, len(lines) + 1))
    shortened = 0
    for message, line in zip(sink.messages, lines):
        if len(line) < 7000:
            assert message.text == line
            continue
        short, record = json.loads(message.text), json.loads(line)
        assert "body" in short.pop("left_out").split() and "body" not in short
        assert short.items() <= record.items()
        assert short["operation"] == CREATE.id
        shortened += 1
    assert shortened >= 1, "no record was long"


def test_tls(ship_gate, tls_sink, certificates):
    sink, place = tls_sink(certificates.good)
    gate = ship_gate(syslog=place, ca_file=str(certificates.authority.file))
    mutate(gate, 3)
    lines = wait_for_all(gate, sink.seqs)
    assert [message.text for message in sink.messages] == lines[:len(sink.messages)]
    # It goes on after the connection was lost.
    sink.drop()
    mutate(gate, 3)
    wait_for_all(gate, sink.seqs)
    gate.stop()
    wait_for_all(gate, sink.seqs)
    assert sink.failures == [] or not any(isinstance(failure, ssl.SSLError) for failure in sink.failures)


@pytest.mark.parametrize("name", ["wrong_host", "expired", "unknown_ca"])
def test_tls_that_cannot_be_trusted(ship_gate, tls_sink, certificates, name):
    sink, place = tls_sink(getattr(certificates, name))
    gate = ship_gate(syslog=place, ca_file=str(certificates.authority.file))
    mutate(gate)
    wait_until(lambda: any("TLS" in line["detail"] for line in ship_log(gate)), what="a word in the log")
    assert sink.messages == []
    assert lag(gate, "syslog") >= len(lines_of(gate)) - 1


@pytest.mark.parametrize("kind", ["syslog", "webhook"])
def test_another_authority(ship_gate, tls_sink, make_hook, tmp_path, certificates, kind):
    """ship.ca_file is read anew with SIGHUP: what could not be trusted before can be then."""
    ca_file = tmp_path / "ship-ca.pem"
    ca_file.write_bytes(certificates.authority.file.read_bytes())
    if kind == "syslog":
        sink, place = tls_sink(certificates.unknown_ca)
        gate, got = ship_gate(syslog=place, ca_file=str(ca_file)), sink.seqs
    else:
        hook = make_hook(certificate=certificates.unknown_ca)
        gate, got = ship_gate(webhook=hook.url, ca_file=str(ca_file)), hook.seqs
    mutate(gate)
    wait_until(lambda: ship_log(gate), what="a word in the log")
    ca_file.write_text("no certificate")
    gate.process.send_signal(signal.SIGHUP)
    wait_until(lambda: [line for line in gate.log() if line["event"] == "reload" and "ship.ca_file" in line["detail"]], what="the refusal of the file")
    assert got() == []
    ca_file.write_bytes(certificates.unknown_ca.authority.read_bytes())
    gate.process.send_signal(signal.SIGHUP)
    wait_for_all(gate, got)


def test_syslog_that_comes_later(ship_gate, unix_sink, tmp_path):
    gate = ship_gate(syslog=f"unix:{tmp_path}/log")
    mutate(gate, 2)
    wait_until(lambda: ship_log(gate)[1:], what="a word in the log")
    wait_until(lambda: gate.metrics()['portcullis_ship_errors_total{destination="syslog"}'] >= 1, what="a count")
    sink, _ = unix_sink()
    wait_for_all(gate, sink.seqs)
    wait_until(lambda: any("again" in line["detail"] for line in ship_log(gate)), what="word that it goes on")
    assert gate.metrics()['portcullis_ship_last_success_time_seconds{destination="syslog"}'] > time.time() - 60


# The webhook.

class Hook:
    """A webhook that answers with what `verdict(received)` says: bytes, or None to take the batch."""

    def __init__(self, verdict=lambda received: None, certificate=None):
        self.verdict = verdict
        self.batches = []  # those taken: first, last, lines
        self.server = ScriptedUpstream(self._on_request, certificate)
        self.url = f"{self.server.url}/in/{PATH_SECRET}?source=portcullis"

    def _on_request(self, connection, received):
        refusal = self.verdict(received)
        if refusal is not None:
            connection.sendall(refusal)
            return True
        assert (received.method, received.target) == ("POST", f"/in/{PATH_SECRET}?source=portcullis")
        assert received.field("content-type") == "application/x-ndjson"
        first, last = map(int, received.field("portcullis-seq").split("-"))
        self.batches.append((first, last, received.body.split(b"\n")[:-1]))
        connection.sendall(answer("204 No Content", b"", length=False))
        return True

    def seqs(self):
        return [json.loads(line)["seq"] for _, _, lines in list(self.batches) for line in lines]

    def close(self):
        self.server.close()


@pytest.fixture
def make_hook(sinks):
    def make(*args, **named):
        sinks.append(Hook(*args, **named))
        return sinks[-1]

    return make


def assert_batches(hook):
    for first, last, lines in hook.batches:
        assert [json.loads(line)["seq"] for line in lines] == list(range(first, last + 1))


@pytest.mark.parametrize("source", ["env", "file"])
def test_webhook(ship_gate, make_hook, tmp_path, certificates, source):
    hook = make_hook(certificate=certificates.good)
    (tmp_path / "hook.token").write_text(SECRET + "\n")
    gate = ship_gate(webhook=hook.url, ca_file=str(certificates.authority.file), environment={"HOOK": SECRET},
                     webhook_token={"env": "HOOK"} if source == "env" else {"file": "hook.token"})
    mutate(gate, 5)
    wait_for_all(gate, hook.seqs)
    gate.stop()
    lines = wait_for_all(gate, hook.seqs)
    assert_batches(hook)
    assert [line for _, _, batch in hook.batches for line in batch] == lines
    assert {received.field("authorization") for received in hook.server.received} == {f"Bearer {SECRET}"}


def test_webhook_that_fails_at_first(ship_gate, make_hook):
    left = [answer("503 Service Unavailable"), answer("429 Too Many Requests"), answer("302 Found"), b"HTTP/1.1 garbage\r\n\r\n",
            answer("400 Bad Request", SECRET.encode())]
    hook = make_hook(lambda received: left.pop(0) if left else None)
    gate = ship_gate(webhook=hook.url, webhook_token={"env": "HOOK"}, environment={"HOOK": SECRET})
    mutate(gate, 5)
    lines = wait_for_all(gate, hook.seqs)
    assert hook.seqs() == list(range(1, len(lines) + 1)), "a record was lost, repeated or out of order"
    assert left == []
    assert gate.metrics()['portcullis_ship_errors_total{destination="webhook"}'] == 5
    # What says anything of it, says nothing of the secrets.
    gate.stop()
    for path in gate.directory.rglob("*"):
        if path.is_file() and path != gate.config_file:
            assert SECRET.encode() not in path.read_bytes() and PATH_SECRET.encode() not in path.read_bytes(), path
    assert any("answered 503" in line["detail"] for line in ship_log(gate)), ship_log(gate)


def test_batches_have_bounds(ship_gate, make_hook):
    """What waits is sent in batches of 500 lines at most."""
    closed = threading.Event()
    hook = make_hook(lambda received: None if closed.is_set() else answer("503 Service Unavailable"))
    gate = ship_gate(webhook=hook.url)
    connections = [threading.Thread(target=mutate, args=(gate, 80)) for _ in range(4)]
    for thread in connections:
        thread.start()
    for thread in connections:
        thread.join()
    assert len(lines_of(gate)) > 600
    closed.set()
    lines = wait_for_all(gate, hook.seqs)
    assert hook.seqs() == list(range(1, len(lines) + 1))
    assert max(len(batch) for _, _, batch in hook.batches) <= 500
    assert_batches(hook)


def test_kill_and_go_on(ship_gate, make_hook, unix_sink):
    """At least once: after kill -9 everything arrives, in order, some of it perhaps twice; after a stop nothing twice."""
    hook, (sink, place) = make_hook(), unix_sink()
    gate = ship_gate(webhook=hook.url, syslog=place)
    for kill in (True, False, True):
        mutate(gate, 10)
        if kill:
            gate.kill()
        else:
            wait_for_all(gate, hook.seqs)
            gate.stop()
            wait_for_all(gate, hook.seqs)
            before = len(hook.seqs()), len(sink.seqs())
        gate.start()
        mutate(gate)
        wait_for_all(gate, hook.seqs)
        wait_for_all(gate, sink.seqs)
        if not kill:
            assert hook.seqs()[before[0]] == hook.seqs()[before[0] - 1] + 1
            assert sink.seqs()[before[1]] == sink.seqs()[before[1] - 1] + 1
    gate.stop()
    lines = wait_for_all(gate, hook.seqs)
    wait_for_all(gate, sink.seqs)
    assert_batches(hook)
    for seqs in (hook.seqs(), sink.seqs()):
        assert set(seqs) == set(range(1, len(lines) + 1))
        assert all(later <= earlier + 1 for earlier, later in zip(seqs, seqs[1:])), "a gap"
    for _, _, batch in hook.batches:
        for line in batch:
            assert lines[json.loads(line)["seq"] - 1] == line


def test_a_destination_that_hangs_holds_nothing_up(ship_gate, make_hook, unix_sink, sinks):
    """Neither changes, nor the other destination, nor (but for two seconds) the stop."""
    hanging = threading.Event()
    hook = make_hook(lambda received: hanging.wait(PATIENCE) and None)
    sink, place = unix_sink()
    gate = ship_gate(webhook=hook.url, syslog=place)
    try:
        begun = time.monotonic()
        mutate(gate, 50)
        took = time.monotonic() - begun
        assert len(gate.exchanges("intent")) == len(gate.exchanges("outcome")) == 50
        wait_for_all(gate, sink.seqs)
        assert took < 10, f"50 changes took {took:.1f} s"
        assert hook.batches == []
        assert lag(gate, "syslog") == 0
        assert lag(gate, "webhook") >= 100
        begun = time.monotonic()
        gate.stop()
        assert time.monotonic() - begun < 10
    finally:
        hanging.set()


def test_syslog_that_takes_nothing_holds_nothing_up(ship_gate, tmp_path, sinks):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "log"))
    listener.listen(1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sinks.append(listener)
    gate = ship_gate(syslog=f"unix:{tmp_path}/log")
    mutate(gate, 200)
    assert len(gate.exchanges("outcome")) == 200
    begun = time.monotonic()
    gate.stop()
    assert time.monotonic() - begun < 10


def test_rotation(ship_gate, make_hook):
    hook = make_hook()
    gate = ship_gate(webhook=hook.url, start=False)
    gate.configure({"audit": {"segment_bytes": 4096}})
    gate.start()
    mutate(gate, 60)
    assert len(gate.segments()) > 5
    lines = wait_for_all(gate, hook.seqs)
    assert hook.seqs() == list(range(1, len(lines) + 1))


def test_removed_segments_are_told(ship_gate, make_hook):
    """The position lies in a file that is gone: it goes on at the oldest one, and says what is missing."""
    down = threading.Event()
    hook = make_hook(lambda received: answer("503 Service Unavailable") if down.is_set() else None)
    gate = ship_gate(webhook=hook.url, start=False)
    gate.configure({"audit": {"segment_bytes": 4096}})
    gate.start()
    mutate(gate, 3)
    wait_for_all(gate, hook.seqs)
    down.set()
    mutate(gate, 60)
    gate.stop()  # with a checkpoint: a journal that begins later is accepted then
    last = hook.seqs()[-1]
    removed = gate.segments()[:5]
    oldest = int(gate.segments()[5].name[:16])
    for segment in removed:
        segment.unlink()
    assert last < oldest - 1
    down.clear()
    gate.start()
    mutate(gate)
    newest = gate.journal()[-1]["seq"]
    wait_until(lambda: newest in hook.seqs(), what="the newest record")
    told = [line["detail"] for line in ship_log(gate) if "not in the journal any more" in line["detail"]]
    assert told and told[0].endswith(f"goes on with {oldest} in {gate.segments()[0].name}"), ship_log(gate)
    assert f"records {last + 1} to {oldest - 1} " in told[0]
    assert [seq for seq in hook.seqs() if seq > last] == list(range(oldest, max(hook.seqs()) + 1))


def test_another_journal(ship_gate, make_hook, tmp_path):
    """A position that is not of this journal: everything is shipped, and it is told."""
    hook = make_hook()
    gate = ship_gate(webhook=hook.url)
    mutate(gate, 5)
    wait_for_all(gate, hook.seqs)
    gate.stop()
    gate.audit_directory = tmp_path / "other.audit"
    gate.configure({"audit": {"directory": "other.audit", "keys": "other.keys"}})
    hook.batches.clear()
    gate.start()
    mutate(gate, 1)
    lines = wait_for_all(gate, hook.seqs)
    assert hook.seqs() == list(range(1, len(lines) + 1))
    assert any("not of this journal" in line["detail"] for line in ship_log(gate))


@pytest.mark.parametrize("content", ["", "{", '{"seq":7}', '{"hash":"00","segment":"x","seq":1}'])
def test_a_position_that_cannot_be_read(ship_gate, make_hook, tmp_path, content):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "webhook.position").write_text(content)
    hook = make_hook()
    gate = ship_gate(webhook=hook.url)
    mutate(gate)
    lines = wait_for_all(gate, hook.seqs)
    assert hook.seqs() == list(range(1, len(lines) + 1))
    assert any("oldest record" in line["detail"] for line in ship_log(gate))


# Settings.

@pytest.mark.parametrize("settings, word", [
    ({"webhook": "http://siem.example/in"}, "ship.webhook must begin with https://"),
    ({"webhook": "http://127.0.0.1.example/in"}, "ship.webhook must begin with https://"),
    ({"webhook": f"https://user:{SECRET}@siem.example/in"}, "ship.webhook must hold no user name"),
    ({"webhook": f"https://siem.example/{SECRET}#x"}, "ship.webhook has a path"),
    ({"webhook": f"https://siem.example/{SECRET}\r\nX: y"}, "ship.webhook has a path"),
    ({"webhook": "siem.example"}, "ship.webhook must begin with"),
    ({"webhook_token": SECRET}, "ship.webhook_token must be"),
    ({"webhook_token": {"env": "A", "file": "b"}}, "ship.webhook_token must be"),
    ({"webhook_token": {"token": SECRET}}, "ship.webhook_token must be"),
    ({"syslog": "udp://siem.example:514"}, "ship.syslog must begin with"),
    ({"syslog": "unix:dev/log"}, "ship.syslog must name its socket by an absolute path"),
    ({"syslog": "unix:/" + "x" * 108}, "ship.syslog has a path"),
    ({"syslog": "tls://siem.example:0"}, "ship.syslog has a port"),
    ({"state": "GATE.audit/ship"}, "ship.state must not lie inside"),
])
def test_wrong_settings(ship_gate, settings, word):
    gate = ship_gate(start=False)
    settings = {key: value.replace("GATE", gate.name) if isinstance(value, str) else value for key, value in settings.items()}
    gate.configure({"ship": settings})
    done = gate.run("check")
    assert done.returncode == 1
    assert word in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("settings", [
    {"webhook": f"https://localhost/{PATH_SECRET}", "webhook_token": {"env": "MISSING_HOOK_TOKEN"}},
    {"webhook": f"https://localhost/{PATH_SECRET}", "webhook_token": {"file": "absent"}},
    {"webhook": f"https://localhost/{PATH_SECRET}", "ca_file": "absent"},
    {"syslog": "tls://localhost:1", "ca_file": "absent"},
])
def test_what_cannot_be_used_refuses_to_start(ship_gate, settings):
    gate = ship_gate(start=False, **settings)
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    said = [line["detail"] for line in gate.log() if line["level"] == "error"]
    assert said and any(line.startswith("ship: ") for line in said), gate.stderr()
    assert PATH_SECRET not in gate.stderr()
