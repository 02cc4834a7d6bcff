"""Identity by client certificate: who comes in, who does not, what is recorded, over real handshakes."""

import datetime
import ssl

import pytest
import world
from certificates import DAY, NOW
from checks import assert_error
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from processes import PATIENCE, wait_until

TARGET = f"/rest/orgs/{world.PAYMENTS}/integrations?version={world.VERSION}"
ONE = f"/rest/orgs/{world.PAYMENTS}/integrations/{world.HUB}?version={world.VERSION}"
KEY = "key-that-the-gate-holds-0123456789"


def policy():
    """The usual one, and principals with certificates."""
    document = world.policy()
    token = world.digest
    document["principals"].update({
        "robot": {"certificates": ["uri:spiffe://example/robot", "dns:robot.example", "email:robot@example"], "upstream_token": {"env": "GATE_KEY"}},
        "keyless": {"certificates": ["dns:keyless.example"]},
        "careful": {"tokens": [token("careful-token-0123456789")], "certificates": ["dns:careful.example"], "identity": "both"},
        "easy": {"tokens": [token("easy-token-0123456789")], "certificates": ["dns:easy.example"], "identity": "either"},
    })
    document["organizations"][world.PAYMENTS]["grants"] += [
        {"principal": name, "roles": ["editor"]} for name in ("robot", "keyless", "careful", "easy")]
    return document


@pytest.fixture
def mutual(make_gate, sandbox, certificates):
    """mutual(**tls): a gate that asks for certificates of the test's authority."""

    def make(**tls):
        settings = {"client_certificate": "optional", "client_ca": str(certificates.authority.file), **tls}
        return make_gate(sandbox, policy=policy(), certificate=certificates.good, environment={"GATE_KEY": KEY},
                         config={"tls": settings, "admin": {"listen": "127.0.0.1:0"}})

    return make


def ask(gate, client=None, token=None, method="GET", target=TARGET, **more):
    """A request with a certificate and a token."""
    gate.client = client
    return gate.request(method, target, token=token, **more)


def handshake_is_refused(gate, client, words):
    """TLS 1.3 tells the client only when it reads; so the gate's log says why."""
    before = len(refusals(gate))
    gate.client = client
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with gate.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if not connection.recv(1):
                raise ConnectionError("closed")
    wait_until(lambda: any(words in text for text in refusals(gate)[before:]), what=f"{words!r} in the log:\n{gate.stderr()}")


def refusals(gate):
    return [line["detail"] for line in gate.log() if line["event"] == "tls-handshake"]


def test_a_certificate_alone(mutual, sandbox, certificates):
    gate = mutual()
    for name in ("uri:spiffe://example/robot", "dns:Robot.EXAMPLE", "email:robot@EXAMPLE"):
        robot = certificates.authority.client(f"robot-{name[:3]}", ["dns:elsewhere.example", name])
        assert ask(gate, robot).status == 200
        assert ["authorization", f"Token {KEY}"] in [[key.lower(), value] for key, value in sandbox.ledger()[-1]["headers"]]
    lines = gate.access_log(3)
    assert {(line["principal"], line["identity"]) for line in lines} == {("robot", "certificate")}
    assert {line["certificate"] for line in lines} == {"uri:spiffe://example/robot", "dns:robot.example", "email:robot@example"}


def test_what_is_recorded_of_a_change(mutual, sandbox, certificates):
    gate = mutual()
    robot = certificates.authority.client("robot", ["uri:spiffe://example/robot"])
    careful = certificates.authority.client("careful", ["dns:careful.example"])
    assert ask(gate, robot, method="DELETE", target=ONE).status == 204
    other = ONE.replace(world.HUB, "aaaaaaaa-0000-4000-8000-000000000100")
    assert ask(gate, careful, token="careful-token-0123456789", method="DELETE", target=other).status == 204
    assert ask(gate, None, token=world.TOKENS["viewer"], method="DELETE", target=ONE).status == 403
    intents = gate.exchanges("intent")
    assert [(record["principal"], record["identity"], record["certificate"], record["credential"]) for record in intents] == [
        ("robot", "certificate", "uri:spiffe://example/robot", "gate"), ("careful", "both", "dns:careful.example", "own")]
    [refused] = wait_until(lambda: gate.exchanges("refused"), what="the refusal's record")
    assert refused["principal"] == "viewer" and "identity" not in refused and "certificate" not in refused


def test_both_and_either(mutual, sandbox, certificates):
    gate = mutual()
    careful = certificates.authority.client("careful", ["dns:careful.example"])
    easy = certificates.authority.client("easy", ["dns:easy.example"])
    unknown = certificates.authority.client("unknown", ["dns:unknown.example"])
    nameless = certificates.authority.client("nameless", [])
    assert ask(gate, careful, token="careful-token-0123456789").status == 200
    assert ask(gate, easy, token="easy-token-0123456789").status == 200
    assert ask(gate, None, token="easy-token-0123456789").status == 200
    for client in (unknown, nameless):
        assert ask(gate, client, token="easy-token-0123456789").status == 200
        assert ask(gate, client, token=world.TOKENS["viewer"]).status == 200
    passed = len(sandbox.ledger())
    for client, token, status, code, words in (
            (None, "careful-token-0123456789", 401, "unauthenticated", "connect with that certificate"),
            (unknown, "careful-token-0123456789", 401, "unauthenticated", "connect with that certificate"),
            (careful, None, 401, "unauthenticated", "send \"Authorization: Token <secret>\" besides"),
            (careful, "easy-token-0123456789", 403, "identity-conflict", "another's"),
            (easy, world.TOKENS["viewer"], 403, "identity-conflict", "another's"),
            (easy, "nobody-has-this", 401, "unauthenticated", "leave the field Authorization out"),
            (easy, None, 403, "no-credential", "Send a token of this principal"),
            (unknown, None, 401, "unauthenticated", "dns:unknown.example"),
            (nameless, None, 401, "unauthenticated", "Authorization: Token"),
            (None, None, 401, "unauthenticated", "Authorization: Token")):
        [error] = assert_error(ask(gate, client, token=token), status, code)
        assert words in error["detail"], error
    assert len(sandbox.ledger()) == passed
    refused = [line for line in gate.access_log(passed + 10) if line["verdict"] == "refuse"]
    assert len(refused) == 10
    for line in refused:
        assert "principal" not in line or line["code"] == "portcullis-no-credential", line


def test_a_certificate_of_two_principals(mutual, sandbox, certificates):
    gate = mutual()
    two = certificates.authority.client("two", ["uri:spiffe://example/robot", "dns:easy.example"])
    for token in (None, "easy-token-0123456789"):
        assert_error(ask(gate, two, token=token), 403, "identity-conflict")
    assert sandbox.ledger() == []


def test_nothing_to_present(mutual, sandbox, certificates):
    gate = mutual()
    keyless = certificates.authority.client("keyless", ["dns:keyless.example"])
    assert_error(ask(gate, keyless), 403, "no-credential")
    assert sandbox.ledger() == []
    said = gate.run("check").stderr
    for name in ("keyless", "easy"):
        assert f"may come in by a certificate alone, but the gate holds no upstream_token to present for it then: such requests will be refused (/principals/{name})" in said
    for name in ("robot", "careful", "viewer"):
        assert f"will be refused (/principals/{name})" not in said


WRONG = {
    "another authority's": (lambda ca, other: other.client("foreign", ["uri:spiffe://example/robot"]), "unable to get local issuer certificate"),
    "expired": (lambda ca, other: ca.client("late", ["uri:spiffe://example/robot"], NOW - 30 * DAY, NOW - DAY), "certificate has expired"),
    "not yet good": (lambda ca, other: ca.client("early", ["uri:spiffe://example/robot"], NOW + DAY, NOW + 2 * DAY), "certificate is not yet valid"),
    "a server's": (lambda ca, other: ca.client("server", ["uri:spiffe://example/robot"], usage=ExtendedKeyUsageOID.SERVER_AUTH), "unsuitable certificate purpose"),
    "a wildcard": (lambda ca, other: ca.client("wild", ["uri:spiffe://example/robot", "dns:*.example"]), "a name in it"),
    "a control character": (lambda ca, other: ca.client("control", [x509.UniformResourceIdentifier("spiffe://example/robot\r\nX: y")]), "a name in it"),
    "a NUL": (lambda ca, other: ca.client("nul", [x509.DNSName("robot.example\0.evil.example")]), "a name in it"),
    "too long": (lambda ca, other: ca.client("long", ["uri:spiffe://example/" + "a" * 2048]), "a name in it"),
    "too many": (lambda ca, other: ca.client("many", [f"dns:n{at}.example" for at in range(33)]), "a name in it"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_wrong_certificates(mutual, sandbox, certificates, kind, wanted):
    """Refused in the handshake, whether one is needed or not; a token does not help."""
    make, words = WRONG[kind]
    gate = mutual(client_certificate=wanted)
    handshake_is_refused(gate, make(certificates.authority, certificates.other), words)
    assert sandbox.ledger() == []
    assert gate.metrics()['portcullis_tls_handshake_failures_total{reason="certificate"}'] == 1


def test_required(mutual, sandbox, certificates):
    gate = mutual(client_certificate="required")
    handshake_is_refused(gate, None, "peer did not return a certificate")
    assert ask(gate, certificates.authority.client("any", []), token=world.TOKENS["viewer"]).status == 200


def test_not_asked_for(mutual, certificates):
    """With "none", a certificate is not even looked at."""
    gate = mutual(client_certificate="none")
    robot = certificates.authority.client("robot", ["uri:spiffe://example/robot"])
    assert_error(ask(gate, robot), 401, "unauthenticated")
    assert ask(gate, robot, token=world.TOKENS["viewer"]).status == 200


def resume(gate, context, session=None):
    """A connection with a request on it: was the session resumed, what was the status; and its session."""
    connection = super(type(gate), gate).connect()
    with context.wrap_socket(connection, server_hostname="localhost", session=session) as secure:
        secure.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := secure.recv(65536):
            answer += piece
        return secure.session_reused, int(answer.split(b" ", 2)[1]), secure.session


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_resumed_sessions_keep_their_identity(mutual, certificates, version):
    """And lose it when the authorities or the revoked ones change."""
    crl = certificates.authority.crl(f"list-{version}.crl")
    gate = mutual(client_crl=str(crl))
    robot = certificates.authority.client(f"robot-{version}", ["uri:spiffe://example/robot"])
    context = gate.tls(client=robot)
    context.maximum_version = getattr(ssl.TLSVersion, version)
    reused, status, session = resume(gate, context)
    assert (reused, status) == (False, 200)
    reused, status, session = resume(gate, context, session)
    assert (reused, status) == (True, 200)
    gate.reload()
    reused, status, session = resume(gate, context, session)
    assert (reused, status) == (True, 200), "nothing has changed"
    assert [line["identity"] for line in gate.access_log(3)] == ["certificate"] * 3
    certificates.authority.crl(crl.name, robot)
    gate.reload()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        resume(gate, context, session)
    wait_until(lambda: any("certificate revoked" in text for text in refusals(gate)), what="the reason in the log")


def test_an_expired_certificate_is_not_resumed(mutual, certificates):
    gate = mutual()
    end = datetime.datetime.utcnow().replace(microsecond=0) + datetime.timedelta(seconds=3)
    context = gate.tls(client=certificates.authority.client("brief", ["uri:spiffe://example/robot"], end=end))
    _, status, session = resume(gate, context)
    assert status == 200
    wait_until(lambda: datetime.datetime.utcnow() > end + datetime.timedelta(seconds=1), seconds=PATIENCE, what="the end of a certificate")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        resume(gate, context, session)


def test_revoked(mutual, sandbox, certificates):
    revoked = certificates.authority.client("revoked", ["uri:spiffe://example/robot"])
    gate = mutual(client_crl=str(certificates.authority.crl("revoked.crl", revoked)))
    handshake_is_refused(gate, revoked, "certificate revoked")
    assert ask(gate, certificates.authority.client("unrevoked", ["uri:spiffe://example/robot"])).status == 200


def test_fields_that_speak_for_a_certificate(mutual, sandbox):
    gate = mutual()
    for name in ("X-Forwarded-Client-Cert", "Client-Cert", "X-SSL-Client-SAN", "X-Client-Certificate"):
        assert_error(ask(gate, None, headers={name: "uri:spiffe://example/robot"}), 401, "unauthenticated")
        assert ask(gate, None, token=world.TOKENS["viewer"], headers={name: "uri:spiffe://example/robot"}).status == 200
        assert name.lower() not in [key.lower() for key, _ in sandbox.ledger()[-1]["headers"]]


def test_explain(mutual):
    gate = mutual()
    passed = gate.run("explain", "GET", TARGET, "--certificate", "uri:spiffe://example/robot")
    assert passed.returncode == 0 and "by its certificate uri:spiffe://example/robot" in passed.stdout, passed
    both = gate.run("explain", "GET", TARGET, "--certificate", "dns:careful.example", "--token-stdin", stdin="careful-token-0123456789")
    assert both.returncode == 0 and "by its token and its certificate dns:careful.example" in both.stdout
    assert gate.run("explain", "GET", TARGET, "--certificate", "dns:careful.example").returncode == 1
    assert gate.run("explain", "GET", TARGET, "--principal", "keyless").returncode == 1
    assert "begins with none of" in gate.run("explain", "GET", TARGET, "--certificate", "robot").stderr
    assert gate.run("explain", "GET", TARGET, "--certificate", "dns:a", "--principal", "robot").returncode not in (0, 1)


@pytest.mark.parametrize("principal, message", [
    ({"certificates": ["dns:robot.example"]}, '"dns:robot.example" is a certificate of the principal "robot" already (/principals/wrong/certificates/0)'),
    ({"certificates": ["dns:ROBOT.example"]}, '"dns:ROBOT.example" is a certificate of the principal "robot" already'),
    ({"certificates": ["robot.example"]}, 'begins with none of "uri:", "dns:" and "email:"'),
    ({"certificates": ["dns:*.example"]}, "has a host name that is none"),
    ({"certificates": ["uri:robot"]}, "is no URI with a scheme"),
    ({"certificates": ["email:robot"]}, "is no address of mail"),
    ({"certificates": "dns:a"}, "must be an array (/principals/wrong/certificates)"),
    ({"certificates": [7]}, "must be a string (/principals/wrong/certificates/0)"),
    ({"certificates": ["dns:a"], "tokens": [world.digest("a")]}, '"identity" must say whether "both" are needed, or "either" will do'),
    ({"certificates": ["dns:a"], "tokens": [world.digest("a")], "identity": "any"}, 'must be "both" or "either" (/principals/wrong/identity)'),
    ({"certificates": ["dns:a"], "identity": "both"}, "this one has no tokens"),
    ({"tokens": [world.digest("a")], "identity": "either"}, "this one has no certificates"),
])
def test_wrong_policies(mutual, principal, message):
    """Each is told with its line and column, and not taken by a running gate."""
    gate = mutual()
    wrong = policy()
    wrong["principals"]["wrong"] = principal
    gate.write_policy(wrong)
    checked = gate.run("check")
    assert checked.returncode == 1
    [line] = [line for line in checked.stderr.splitlines() if ": error: " in line]
    assert message in line and line.split(":")[1].isdigit() and line.split(":")[2].isdigit(), line
    gate.reload()
    assert "stay as they were" in gate.reloads()[-1]["detail"]
