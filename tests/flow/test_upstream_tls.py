"""https upstreams: who they are is checked in full, and a refusal says in the log what was wrong."""

import ssl

import pytest

from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from upstreams import answer
from world import DELETE, OPERATIONS, READ, TOKENS, UPDATE


def trusting(certificates, **upstream):
    return {"upstream": {"ca_file": str(certificates.authority.file), **upstream}}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_good_certificate(make_gate, make_sandbox, certificates, operation):
    sandbox = make_sandbox(certificate=certificates.good)
    gate = make_gate(sandbox, config=trusting(certificates))
    got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
    assert got.status == operation.status, got
    [line] = sandbox.ledger()
    assert ["host", f"localhost:{sandbox.port}"] in [[name.lower(), value] for name, value in line["headers"]]


WRONG = {
    "wrong_host": ["host", "name", "mismatch"],
    "expired": ["expired"],
    "unknown_ca": ["issuer", "unknown", "self-signed", "self signed", "unable to get"],
}


@pytest.mark.parametrize("operation", [READ, UPDATE, DELETE], ids=str)
@pytest.mark.parametrize("which", WRONG)
def test_wrong_certificate(make_gate, make_sandbox, certificates, which, operation):
    """502, nothing sent, and a log line that says which."""
    sandbox = make_sandbox(certificate=getattr(certificates, which))
    gate = make_gate(sandbox, config=trusting(certificates))
    got = gate.request(operation.method, operation.target, operation.token, body=operation.body)
    # A delete is looked at first, and then not even intended.
    assert_error(got, 502, "pre-image-unavailable" if operation is DELETE else "upstream-untrusted")
    assert sandbox.ledger(asked=True) == []
    details = wait_until(lambda: [line["detail"].lower() for line in gate.log() if "tls" in line["event"] or "upstream" in line["event"]],
                         what="a log line on it")
    assert any(word in detail for detail in details for word in WRONG[which]), details
    stages = {READ.id: [], UPDATE.id: ["intent", "outcome"], DELETE.id: ["refused"]}
    records = records_of(gate, request_id(got), stages[operation.id])
    if operation is UPDATE:
        assert records[1]["result"] == "not-sent"
    assert access_line(gate, request_id(got))["status"] == 502


def test_system_store_does_not_know_the_test_ca(make_gate, make_sandbox, certificates):
    sandbox = make_sandbox(certificate=certificates.good)
    gate = make_gate(sandbox)
    assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-untrusted")
    assert sandbox.ledger() == []


def test_address_instead_of_a_name(make_gate, make_sandbox, certificates):
    """A certificate may name an address; then an upstream given by that address is right, and another's is not."""
    sandbox = make_sandbox(certificate=certificates.good)
    gate = make_gate(f"https://127.0.0.1:{sandbox.port}", config=trusting(certificates))
    assert gate.request("GET", READ.target, READ.token).status == 200
    other = make_sandbox(certificate=certificates.wrong_host)
    gate = make_gate(f"https://127.0.0.1:{other.port}", config=trusting(certificates))
    assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-untrusted")


def test_plain_http_behind_https(make_gate, sandbox, certificates):
    gate = make_gate(f"https://localhost:{sandbox.port}", config=trusting(certificates))
    got = gate.request("GET", READ.target, READ.token)
    assert got.status == 502, got
    assert sandbox.ledger() == [] or all(line["method"] != "GET" for line in sandbox.ledger())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_protocols_are_refused(make_gate, make_upstream, certificates, version):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer()), certificate=certificates.good)
    try:
        upstream.context.minimum_version = upstream.context.maximum_version = getattr(ssl.TLSVersion, version)
        upstream.context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        pytest.skip(f"this OpenSSL cannot do {version}")
    gate = make_gate(upstream, config=trusting(certificates))
    assert gate.request("GET", READ.target, READ.token).status == 502
    assert upstream.received == []


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_session_resumption(make_gate, make_upstream, certificates, version):
    """A new connection takes up the session of an earlier one."""

    def script(connection, received):
        connection.sendall(answer(fields=[("Connection", "close")]))
        connection.unwrap()

    upstream = make_upstream(script, certificate=certificates.good)
    upstream.context.minimum_version = upstream.context.maximum_version = getattr(ssl.TLSVersion, version)
    gate = make_gate(upstream, config={**trusting(certificates), "workers": 1})
    for _ in range(4):
        assert gate.request("GET", READ.target, READ.token).status == 200
    assert upstream.resumed[0] is False
    assert any(upstream.resumed[1:]), upstream.resumed


def test_server_name_is_sent(make_gate, make_upstream, certificates):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer()), certificate=certificates.good)
    names = []
    upstream.context.sni_callback = lambda connection, name, context: names.append(name)
    gate = make_gate(upstream, config=trusting(certificates))
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert names == ["localhost"]


def test_many_requests_share_connections(make_gate, make_sandbox, certificates):
    sandbox = make_sandbox(certificate=certificates.good)
    gate = make_gate(sandbox, config={**trusting(certificates), "workers": 1})
    for _ in range(20):
        assert gate.request("GET", READ.target, TOKENS["viewer"]).status == 200
    assert len({line["connection"] for line in sandbox.ledger()}) == 1


def test_truncation_is_noticed(make_gate, make_upstream, certificates):
    """An answer that ends with the connection must end with close_notify; a cut connection is no end."""
    cut = answer(media_type="text/plain", body=b"half of", length=False)
    upstream = make_upstream(lambda connection, received: connection.sendall(cut), certificate=certificates.good)
    gate = make_gate(upstream, config=trusting(certificates))
    received = gate.raw(f"GET {READ.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Token {READ.token}\r\n\r\n".encode())
    # Either the gate says 502, or what it began is visibly cut: the last chunk is missing.
    assert received.startswith(b"HTTP/1.1 502") or not received.endswith(b"0\r\n\r\n"), received


def test_sighup_rereads_the_ca_file(make_gate, make_sandbox, certificates, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_bytes(certificates.unknown_ca.file.read_bytes())
    sandbox = make_sandbox(certificate=certificates.good)
    gate = make_gate(sandbox, config={"upstream": {"ca_file": "ca.pem"}})
    assert gate.request("GET", READ.target, READ.token).status == 502
    authority.write_bytes(certificates.authority.file.read_bytes())
    gate.reload()
    wait_until(lambda: gate.request("GET", READ.target, READ.token).status == 200, what="trust in the new CA")
