"""The contestants: how each is configured and started, and where it writes what it did."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field

import grants

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
TEMPLATES = HERE / "peers"


@dataclass
class Setting:
    """What a variant asks of a contestant."""
    world: grants.World
    upstream: int                 # port
    plain_upstream: int           # port of one without TLS, for the relay
    certificate: pathlib.Path = None  # of a TLS upstream, and the one to trust; None: the upstream is plain
    front: tuple = None           # certificate and key for TLS in front; None: clients come without
    connections: int = 64
    pool: int = None              # connections to the upstream; None: as many as clients have
    workers: int = 1
    cores: str = None             # None: whichever
    extra: dict = field(default_factory=dict)  # for Portcullis' configuration


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def count_lines(path):
    """Lines of a file, of several, or of none."""
    total = 0
    for one in path if isinstance(path, list) else [path]:
        if one.exists():
            with open(one, "rb") as file:
                while piece := file.read(1 << 20):
                    total += piece.count(b"\n")
    return total


class Contestant:
    """One proxy: a fresh process in a directory of its own for each run."""
    name = None
    policy = False      # does it judge?
    template = None     # file in peers/, and what it is called in the run's directory
    binary = None
    tls_upstream = True
    tls_front = True
    log_loss = 0.0      # share of its log lines that it may lose under load

    def __init__(self, build):
        self.build = build
        self.process = None

    def missing(self):
        """What is not there and must be; None when it can run."""
        return None if shutil.which(str(self.binary)) else str(self.binary)

    def version(self):
        return ""

    # ---- a run ----

    def start(self, directory, setting):
        self.directory = pathlib.Path(directory)
        self.setting = setting
        self.port = free_port()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.configure()
        pinned = ["taskset", "-c", setting.cores] if setting.cores else []
        words = [*pinned, *(str(word) for word in self.command())]
        self.output = self.directory / "stdout"
        with open(self.output, "ab") as output, open(self.directory / "stderr", "ab") as errors:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=self.directory,
                                            env={**os.environ, **self.environment()})
        deadline = time.monotonic() + self.patience
        while not accepts(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} does not start:\n{(self.directory / 'stderr').read_text()[-3000:]}")
            time.sleep(0.01)
        return self

    patience = 20  # seconds

    def stop(self):
        """Ends it in an orderly way, so that its logs are whole."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def configure(self):
        """Writes the configuration."""
        if self.template is None:
            return
        if self.policy:
            self.setting.world.write_maps(self.directory)
        self.fill(self.template)

    def fill(self, template):
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        for name, value in self.places().items():
            text = text.replace(f"@{name}@", str(value))
        (self.directory / template).write_text(text, encoding="utf-8")

    def places(self):
        setting = self.setting
        return {
            "DIRECTORY": self.directory, "HERE": self.directory, "PORT": self.port, "UPSTREAM": setting.upstream,
            "WORKERS": setting.workers, "THREADS": 128 * setting.workers, "POOL": setting.connections + 64, "USER": "root",
            "SCHEME": "https" if setting.certificate else "http", "CERTIFICATE": setting.certificate or "/etc/ssl/certs/ca-certificates.crt",
            "TLS": self.tls() if setting.certificate else "",
            "FRONT": self.front(*setting.front) if setting.front else "", "FRONT_SCHEME": "https" if setting.front else "http",
            "VERSION_PATTERN": grants.VERSION_PATTERN, "ROUTE_PATTERN": grants.ROUTE_PATTERN,
        }

    def tls(self):
        """The words for a TLS upstream."""
        return ""

    def front(self, certificate, key):
        """The words for TLS in front."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    # ---- what it wrote; read after it has ended ----

    def access_lines(self):
        """None: it keeps no access log."""
        return None

    def audit_lines(self):
        """Audit lines of mutations that were sent on. None: it keeps none."""
        return None


class Relay(Contestant):
    name = "relay"
    tls_upstream = False  # it moves bytes: before a TLS upstream it stays the floor of the plain one,
    tls_front = False     # and behind TLS in front that of plain clients

    def __init__(self, build):
        super().__init__(build)
        self.binary = build / "bench" / "relay"

    def command(self):
        return [self.binary, self.port, self.setting.plain_upstream, self.setting.workers]


class Nginx(Contestant):
    name = "nginx"
    template = "nginx.conf"
    binary = "/usr/sbin/nginx"

    def front(self, certificate, key):
        return f" ssl; ssl_certificate {certificate}; ssl_certificate_key {key}"

    def command(self):
        return [self.binary, "-e", self.directory / "error.log", "-p", self.directory, "-c", self.directory / self.template]

    def version(self):
        return subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=False).stderr.strip()


class NginxLua(Nginx):
    name = "nginx-lua"
    template = "nginx-lua.conf"
    policy = True

    def missing(self):
        module = pathlib.Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
        return super().missing() or (None if module.exists() else str(module))

    def configure(self):
        super().configure()
        self.fill("policy.lua")

    def access_lines(self):
        return count_lines(self.directory / "access.log")

    def audit_lines(self):
        return count_lines(self.directory / "audit.log")


class Haproxy(Contestant):
    name = "haproxy"
    template = "haproxy.cfg"
    binary = "/usr/sbin/haproxy"

    def tls(self):
        return f"ssl verify required ca-file {self.setting.certificate} sni str(localhost) verifyhost localhost"

    def front(self, certificate, key):
        both = self.directory / "front.pem"
        both.write_text(certificate.read_text() + key.read_text())
        return f"ssl crt {both}"

    def command(self):
        return [self.binary, "-db", "-f", self.directory / self.template]

    def version(self):
        return subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=False).stdout.splitlines()[0]


class HaproxyPolicy(Haproxy):
    name = "haproxy-policy"
    template = "haproxy-policy.cfg"
    policy = True
    log_loss = 0.01  # a thread that finds another one writing drops its line

    def access_lines(self):
        return count_lines(self.output)

    def audit_lines(self):
        """Lines that hold the body of a mutation."""
        with open(self.output, "rb") as file:
            return sum(b'"method":"PATCH"' in line and b"profile_name" in line for line in file)


class Caddy(Contestant):
    name = "caddy"
    template = "Caddyfile"
    binary = "/usr/bin/caddy"

    def tls(self):
        return f"tls\n\t\t\ttls_trusted_ca_certs {self.setting.certificate}\n\t\t\ttls_server_name localhost"

    def front(self, certificate, key):
        return f"tls {certificate} {key}"

    def command(self):
        return [self.binary, "run", "--adapter", "caddyfile", "--config", self.directory / self.template]

    def environment(self):
        return {"GOMAXPROCS": str(self.setting.workers), "HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory),
                "XDG_CONFIG_HOME": str(self.directory)}

    def version(self):
        return "caddy " + subprocess.run([self.binary, "version"], capture_output=True, text=True, check=False).stdout.split()[0]


class Apache(Contestant):
    name = "apache"
    template = "apache.conf"
    binary = "/usr/sbin/apache2"

    def front(self, certificate, key):
        return f"SSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}"

    def command(self):
        return [self.binary, "-f", self.directory / self.template, "-DFOREGROUND"]

    def version(self):
        return subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=False).stdout.splitlines()[0].split(": ")[1]


class Portcullis(Contestant):
    """The gate, everything on: wire guard, policy, bodies, access log, journal."""
    name = "portcullis"
    policy = True
    patience = 120  # a policy of a million grants takes its time
    tool = ()       # a program and its arguments that the gate is run under

    def __init__(self, build):
        super().__init__(build)
        self.binary = build / "portcullis"

    def configure(self):
        setting = self.setting
        setting.world.write_policy(self.directory / "policy.json")
        upstream = {"url": f"http://127.0.0.1:{setting.upstream}", "connections": min(4096, setting.pool or setting.connections),
                    "queue": 100000}
        if setting.certificate:
            upstream |= {"url": f"https://localhost:{setting.upstream}", "ca_file": str(setting.certificate)}
        front = {}
        if setting.front:
            front = {"tls": dict(zip(("certificate", "key"), map(str, setting.front)))}
        (self.directory / "gate.json").write_text(json.dumps({
            "listen": [{"address": f"127.0.0.1:{self.port}", "tls": bool(setting.front)}], **front, "workers": setting.workers, "upstream": upstream,
            "contract": str(ROOT / "conf" / "integrations.openapi.json"), "policy": "policy.json",
            "audit": {"directory": "audit", "keys": "keys"}, "access_log": "access.log",
            "limits": {"connections": 20000, "exchanges": 20000, "backlog": 4096}, **setting.extra}))

    def command(self):
        return [*self.tool, self.binary, "serve", "-c", self.directory / "gate.json"]

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def access_lines(self):
        return count_lines(self.directory / "access.log")

    def stages(self):
        """How many records of each stage the journal has."""
        found = {}
        for segment in sorted((self.directory / "audit").glob("*.jsonl")):
            with open(segment, encoding="utf-8") as file:
                for line in file:
                    stage = json.loads(line).get("stage")
                    found[stage] = found.get(stage, 0) + 1
        return found

    def audit_lines(self):
        """Intents that have their outcome."""
        stages = self.stages()
        return min(stages.get("intent", 0), stages.get("outcome", 0))


class PortcullisLto(Portcullis):
    """The same with libevent linked statically, and -O3 and LTO for what is the gate's own."""
    name = "portcullis-lto"

    def __init__(self, build):
        super().__init__(build)
        self.binary = ROOT / "build-lto" / "portcullis"


ALL = [Relay, Nginx, NginxLua, Haproxy, HaproxyPolicy, Caddy, Apache, Portcullis, PortcullisLto]
