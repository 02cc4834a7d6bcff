"""The two programs as processes of a test: started on free ports, watched, stopped, and asked afterwards whether they ended well."""

import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import world

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("PORTCULLIS_BUILD", "build")
FAULTS = BUILD.with_name(f"{BUILD.name}-fault")  # the same with fault points, the test clock and the log of steps
SANITIZER = next((name for name in ("asan", "tsan") if BUILD.name.endswith(name)), None)
PATIENCE = 60 if SANITIZER else 20  # seconds until what must happen has happened


def wait_until(predicate, seconds=PATIENCE, what="the expected"):
    """Polls until the predicate gives something true, which is returned; fails when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}, in vain")
        time.sleep(0.01)


def json_lines(path):
    """The whole lines of a file, each read as JSON; a line still being written is left out."""
    try:
        text = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def is_asked(fields):
    """Is it a request of the gate's own, before a change? Those of the reconciler belong to no request that is under way."""
    fields = {name.lower(): value for name, value in fields}
    return fields.get("user-agent", "").startswith("portcullis/") and "x-request-id" in fields


class Answer:
    """What a client got: status, fields (names in lower case, first value wins; all of them in `fields`) and body."""

    def __init__(self, status, fields, body):
        self.status = status
        self.fields = [(name.lower(), value) for name, value in fields]
        self.body = body

    def field(self, name):
        return next((value for known, value in self.fields if known == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<Answer {self.status} {self.fields} {self.body[:2000]!r}>"


class Process:
    """A program that writes its addresses to a port file once it accepts."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.name = name
        self.process = None
        self.errors = self.directory / f"{name}.stderr"
        self.port_file = self.directory / f"{name}.port"
        self.host, self.port = None, None
        self.checked = False
        self.inherited = ()  # descriptors that the program gets

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def launch(self):
        """Starts the program and does not wait."""
        self.port_file.unlink(missing_ok=True)
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=self.environment(), cwd=self.directory,
                pass_fds=self.inherited)
        self.checked = False

    def start(self):
        self.launch()

        def accepts():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before it accepted:\n{self.stderr()}")
            try:
                return json.loads(self.port_file.read_text())["listen"]
            except (FileNotFoundError, ValueError):
                return None

        first = wait_until(accepts, what=f"the port file of {self.name}; it said:\n{self.stderr()}")[0]
        self.host, _, port = first.rpartition(":")
        self.port = int(port) if port.isdigit() else None
        return self

    def stderr(self):
        try:
            return self.errors.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def log(self):
        """The operational log: the JSON lines on stderr."""
        lines = []
        for line in self.stderr().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass
        return [line for line in lines if isinstance(line, dict)]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """Kill -9: no chance to clean up. What it left behind is not held against it."""
        self.process.kill()
        self.process.wait()
        self.checked = True

    def wait(self, seconds=PATIENCE):
        return self.process.wait(seconds)

    def stop(self):
        """SIGTERM; then it must end by itself, with status 0 and without a sanitizer's report."""
        if self.process is None or self.checked:
            return
        self.checked = True
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not stop within {PATIENCE} s of SIGTERM:\n{self.stderr()}") from None
        text = self.stderr()
        report = next((line for line in text.splitlines() if "Sanitizer:" in line or "runtime error:" in line), None)
        assert report is None, f"{self.name}: {report}\n{text}"
        assert status == 0, f"{self.name} ended with status {status}:\n{text}"

    def rss(self):
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    # Talking to it.

    def connect(self, timeout=PATIENCE, receive_buffer=None):
        connection = socket.socket(socket.AF_INET6 if ":" in self.host.strip("[]") else socket.AF_INET)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(timeout)
        connection.connect((self.host.strip("[]"), self.port))
        return connection

    def raw(self, data, timeout=PATIENCE):
        """Sends bytes as they are and reads until the other side closes; what was read before a time-out or a reset."""
        with self.connect(timeout) as connection:
            received = b""
            try:
                connection.sendall(data)
                while piece := connection.recv(65536):
                    received += piece
            except (ConnectionError, TimeoutError, ssl.SSLError):
                pass
            return received


class Sandbox(Process):
    """portcullis-sandbox, the stand-in for the API."""

    def __init__(self, directory, fixtures=None, certificate=None, listen="127.0.0.1:0", name="sandbox"):
        super().__init__(directory, name)
        self.ledger_file = self.directory / f"{name}.ledger"
        self.certificate = certificate
        self.listen = listen
        self.fixtures_file = None
        if fixtures is not None:
            self.fixtures_file = self.directory / f"{name}.fixtures.json"
            self.fixtures_file.write_text(json.dumps(fixtures))

    def command(self):
        words = [BUILD / "portcullis-sandbox", "--listen", self.listen, "--port-file", self.port_file, "--ledger", self.ledger_file]
        if self.fixtures_file:
            words += ["--fixtures", self.fixtures_file]
        if self.certificate:
            words += ["--tls-cert", self.certificate.file, "--tls-key", self.certificate.key_file]
        return words

    @property
    def url(self):
        # By name over TLS: the certificates name localhost.
        return f"https://localhost:{self.port}" if self.certificate else f"http://127.0.0.1:{self.port}"

    def ledger(self, asked=False):
        """Every request received, without those that told the sandbox how to misbehave. `asked`: with what a gate asked by itself, before
        a change, to learn what that is about."""
        lines = [line for line in json_lines(self.ledger_file) if not line["target"].startswith("/_sandbox")]
        return lines if asked else [line for line in lines if not is_asked(line["headers"])]

    def request(self, method, target, headers=None, body=None):
        if self.certificate:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=context)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def fault(self, fault, match=None, count=1):
        """Tells the sandbox how to misbehave for the next `count` requests that match."""
        answer = self.request("POST", "/_sandbox/faults", {"Content-Type": "application/json"},
                              {"match": match or {}, "fault": fault, "count": count})
        assert 200 <= answer.status < 300, answer


class Gate(Process):
    """portcullis serve, with a configuration of its own in the directory. With a certificate it listens with TLS, and connect(), raw(),
    request() and url speak TLS to it, as `client`, where that is given: a certificate to show."""

    def __init__(self, directory, upstream, policy, config=None, environment=None, name="gate", certificate=None, client=None):
        super().__init__(directory, name)
        self.certificate, self.client = certificate, client
        self.policy_file = self.directory / f"{name}.policy.json"
        self.config_file = self.directory / f"{name}.json"
        self.access_file = self.directory / f"{name}.access"
        self.audit_directory = self.directory / f"{name}.audit"
        self.extra_environment = environment or {}
        self.write_policy(policy)
        self.config = {
            "listen": [{"address": "127.0.0.1:0", "tls": True}] if certificate else ["127.0.0.1:0"],
            "workers": 2,
            "upstream": {"url": upstream if isinstance(upstream, str) else upstream.url},
            "contract": str(ROOT / "conf" / "integrations.openapi.json"),
            "policy": self.policy_file.name,
            "policy_watch": False,  # tests say when it is read anew
            "audit": {"directory": self.audit_directory.name, "keys": f"{name}.keys"},
            "access_log": self.access_file.name,
        }
        if certificate:
            self.config["tls"] = {"certificate": str(certificate.file), "key": str(certificate.key_file)}
        # A confined process does not let ASan's search for leaks trace it, nor TSan start what names the functions of a report.
        if SANITIZER:
            self.config["process"] = {"confine": "off"}
        self.configure(config or {})

    def tls(self, client=None, authority=None, **settings):
        """What a client of the gate needs for TLS: it trusts the authority of the gate's certificate (or another), shows the certificate
        `client`, and has what else is given as attributes of its context."""
        context = ssl.create_default_context(cafile=authority or self.certificate.authority)
        client = client or self.client
        if client:
            context.load_cert_chain(client.file, client.key_file)
        for name, value in settings.items():
            setattr(context, name, value)
        return context

    def connect(self, timeout=PATIENCE, receive_buffer=None, context=None):
        connection = super().connect(timeout, receive_buffer)
        if not self.certificate:
            return connection
        try:
            return (context or self.tls()).wrap_socket(connection, server_hostname="localhost")
        except OSError:
            connection.close()
            raise

    def configure(self, changes):
        """Merges members into the configuration file; a member of None is taken away."""

        def merge(into, changes):
            for key, value in changes.items():
                if value is None:
                    into.pop(key, None)
                elif isinstance(value, dict) and isinstance(into.get(key), dict):
                    merge(into[key], value)
                else:
                    into[key] = value

        merge(self.config, changes)
        self.config_file.write_text(json.dumps(self.config, indent=2))

    def write_policy(self, policy):
        self.policy_file.write_text(policy if isinstance(policy, str) else json.dumps(policy, indent=2))

    def command(self):
        return [BUILD / "portcullis", "serve", "-c", self.config_file, "--port-file", self.port_file]

    def environment(self):
        return {**os.environ, **self.extra_environment}

    @property
    def url(self):
        # By name over TLS: the certificates name localhost.
        return f"https://localhost:{self.port}" if self.certificate else f"http://{self.host}:{self.port}"

    def request(self, method, target, token=None, headers=None, body=None, timeout=PATIENCE):
        """One request on a connection of its own. `headers` is a dict or a list of pairs (for repeated ones); a dict or list as
        body is sent as JSON of the API's media type; a str or bytes as it is."""
        fields = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        given = {name.lower() for name, _ in fields}
        if token is not None and "authorization" not in given:
            fields.append(("Authorization", f"Token {token}"))
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None and "content-type" not in given:
            fields.append(("Content-Type", "application/vnd.api+json"))
        if body is not None and not given & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(body))))
        if self.certificate:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=self.tls())
        else:
            connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=timeout)
        try:
            connection.putrequest(method, target, skip_host="host" in given, skip_accept_encoding=True)
            for name, value in fields:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            answer = Answer(answer.status, answer.getheaders(), answer.read())
            told = [secret for secret in world.SECRETS if answer.status >= 400 and secret.encode() in answer.body]
            assert not told, f"an error tells {told}: {answer}"
            return answer
        finally:
            connection.close()

    def journal(self):
        """All records, in the order of the segments and of the lines in them."""
        return [record for segment in self.segments() for record in json_lines(segment)]

    def leaks(self, secrets):
        """Where in what the gate has written one of the secrets stands: its log, its access log, its journal, what it keeps of shipping."""
        ship = self.directory / self.config.get("ship", {}).get("state", "ship")
        written = [self.errors, self.access_file, *self.audit_directory.rglob("*"), *ship.rglob("*")]
        return [f"{path.name} holds {secret}" for path in written if path.is_file()
                for data in [path.read_bytes()] for secret in secrets if secret.encode() in data]

    def segments(self):
        return sorted(self.audit_directory.glob("*.jsonl"))

    def exchanges(self, stage=None):
        """The records that belong to an exchange, of one stage or of all."""
        return [record for record in self.journal()
                if record.get("request_id") and (stage is None or record["stage"] == stage)]

    @property
    def admin_address(self):
        """A pair for a TCP connection, or the path of a UNIX socket; the configuration must have admin.listen."""
        address = json.loads(self.port_file.read_text())["admin"]
        if address.startswith("unix:"):
            return address.removeprefix("unix:")
        host, _, port = address.rpartition(":")
        return host.strip("[]"), int(port)

    def admin_connection(self):
        """A socket that is connected to the admin listener."""
        if isinstance(self.admin_address, tuple):
            return socket.create_connection(self.admin_address, timeout=PATIENCE)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.admin_address)
        return connection

    def admin_raw(self, *pieces):
        """What the admin listener answers to raw bytes, to the end of the connection."""
        with self.admin_connection() as connection:
            for piece in pieces:
                connection.sendall(piece)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        return received

    def admin(self, method, path, headers=None):
        """One request to the admin listener."""
        connection = http.client.HTTPConnection("admin", timeout=PATIENCE)
        connection.sock = self.admin_connection()
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            body = answer.read()
            assert not [secret for secret in world.SECRETS if secret.encode() in body]
            return Answer(answer.status, answer.getheaders(), body)
        finally:
            connection.close()

    def people_connection(self):
        """A connection to the listener for approvals."""
        address = json.loads(self.port_file.read_text())["approvals"]
        if not address.startswith("unix:"):
            host, _, port = address.rpartition(":")
            connection = socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)
            return self.tls().wrap_socket(connection, server_hostname="localhost") if self.config["approvals"].get("tls") else connection
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(address.removeprefix("unix:"))
        return connection

    def people(self, method, path, token=None, body=None, headers=None):
        """One request to the listener for approvals; `body` is sent as JSON."""
        connected = self.people_connection()
        fields = {"Authorization": f"token {token}"} if token else {}
        if body is not None:
            fields["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("approvals", timeout=PATIENCE)
        connection.sock = connected
        try:
            connection.request(method, path, body=body, headers={**fields, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def metrics(self):
        """The metrics page as a dict of name (with its labels) and value."""
        answer = self.admin("GET", "/metrics")
        assert (answer.status, answer.field("Content-Type")) == (200, "text/plain; version=0.0.4; charset=utf-8"), answer
        return {name: float(value)
                for name, _, value in (line.rpartition(" ") for line in answer.body.decode().splitlines() if line[0] != "#")}

    def health(self, page="readyz"):
        """Status and checks of a page of health."""
        answer = self.admin("GET", f"/{page}")
        assert answer.field("Content-Type") == "application/json", answer
        document = answer.json()
        assert document["status"] == ("ok" if answer.status == 200 else "failing"), answer
        assert (answer.status == 200) == all(check["ok"] for check in document["checks"].values()), answer
        return answer.status, document["checks"]

    def access_log(self, count=1):
        """The access log, once it has at least `count` lines."""
        return wait_until(lambda: len(lines := json_lines(self.access_file)) >= count and lines, what=f"{count} lines of the access log")

    def reload(self):
        """SIGHUP, and back when the gate says what came of it: the last line of the log on it."""
        before = len(self.reloads())
        self.signal(signal.SIGHUP)
        return wait_until(lambda: self.reloads()[before:], what="a word on the reload in the log")[0]

    def reloads(self):
        """What came of each reload so far."""
        return [line for line in self.log() if line.get("event") == "reload"
                and (line["detail"].startswith("in force") or "stay as they were" in line["detail"])]

    def run(self, *words, stdin=""):
        """Another command of the same program with the same configuration file: check, explain."""
        return subprocess.run([BUILD / "portcullis", words[0], "-c", self.config_file, *words[1:]], input=stdin, text=True,
                              capture_output=True, timeout=PATIENCE, env=self.environment(), cwd=self.directory, check=False)
