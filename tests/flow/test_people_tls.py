"""People at the listener for approvals by TLS: from other machines, too, with a token or a certificate of their own."""

import json
import socket
import time

import pytest
import world
from processes import ROOT
from test_approvals import approvals, assert_waits, demand
from test_console import run
from test_people import REASON, error, people_policy
from test_people_commands import WHY, command
from test_rules import changes, send
from world import DELETE, READ, TOKENS

LISTEN = {"approvals": {"listen": "127.0.0.1:0", "tls": True}, "admin": {"listen": "127.0.0.1:0"}}


@pytest.fixture
def make_guarded(make_gate, sandbox, certificates):
    return lambda policy=None, config=None, **more: make_gate(sandbox, policy=policy or people_policy(), certificate=certificates.good,
                                                             config={**LISTEN, **(config or {})}, **more)


def where(gate):
    return json.loads(gate.port_file.read_text())["approvals"]


def test_a_person_agrees_by_tls(make_guarded, sandbox, certificates):
    gate = make_guarded(people_policy(2))
    approval = assert_waits(send(gate, DELETE), people=2)
    assert gate.people("POST", f"/approvals/{approval}", TOKENS["setter"], REASON).status == 200
    at = f"https://localhost:{where(gate).rpartition(':')[2]}"
    shown = command("approve", approval, "--show", "--at", at, "--ca", certificates.good.authority, token=TOKENS["viewer"])
    assert shown.status == 0 and "agreed       1 of 2" in shown.out, shown
    given = command("approve", approval, "--reason", WHY, "--at", at, "--ca", certificates.good.authority, token=TOKENS["viewer"])
    assert given.status == 0, given
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1
    assert [one["principal"] for one in approvals(gate, "given")] == ["setter", "viewer"]


def test_a_command_trusts_nobody_else(make_guarded, certificates):
    gate = make_guarded()
    port = where(gate).rpartition(":")[2]
    for at, words in ((f"https://localhost:{port}", ()), (f"https://127.0.0.2:{port}", ("--ca", certificates.good.authority))):
        said = command("approve", "--list", "--at", at, *words, token=TOKENS["viewer"])
        assert said.status == 2 and said.out == "" and said.err.startswith(f"portcullis: {at}: "), said


def test_a_long_list_in_many_records(make_guarded):
    """More than a record of TLS, and more than a socket takes at once."""
    gate = make_guarded(world.policy(rules=[demand()]) | {"organizations": people_policy()["organizations"]})
    for number in range(20):
        body = {"data": {**world.UPDATE_BODY["data"], "attributes": {"profile_name": f"name {number}"}}}
        assert_waits(gate.request("PATCH", world.UPDATE.target, world.UPDATE.token, body=body))
    assert len(gate.people("GET", "/approvals", TOKENS["viewer"]).json()["data"]) == 20


def test_in_pieces(make_guarded):
    gate = make_guarded()
    body = json.dumps(REASON)
    request = (f"POST /approvals/nothing HTTP/1.1\r\nHost: x\r\nAuthorization: token {TOKENS['viewer']}\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    with gate.people_connection() as connection:
        for byte in request:
            connection.sendall(bytes([byte]))
        assert connection.makefile("rb").readline().split()[1] == b"404"


def test_plain_text_gets_nothing(make_guarded):
    gate = make_guarded()
    host, _, port = where(gate).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"GET /approvals HTTP/1.1\r\nHost: x\r\nAuthorization: token {TOKENS['viewer']}\r\n\r\n".encode())
        received = b""
        try:
            while piece := connection.recv(4096):
                received += piece
        except ConnectionError:
            pass
    assert b"HTTP/" not in received
    assert gate.people("GET", "/approvals", TOKENS["viewer"]).status == 200


def test_who_only_holds_connections_shuts_nobody_out(make_guarded):
    """Handshakes that never end, by hundreds: people, pages and requests go on."""
    gate = make_guarded()
    host, _, port = where(gate).rpartition(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(300)]
    try:
        for connection in held[::2]:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        began = time.monotonic()
        assert gate.people("GET", "/approvals", TOKENS["viewer"]).status == 200
        assert gate.admin("GET", "/readyz").status == 200
        assert send(gate, READ).status == 200
        assert time.monotonic() - began < 4, "not only when the deadline had freed a place"
    finally:
        for connection in held:
            connection.close()


def test_a_certificate_names_a_person(make_guarded, sandbox, certificates):
    policy = people_policy()
    policy["principals"]["viewer"] = {"certificates": ["uri:spiffe://example/ci"]}
    gate = make_guarded(policy, {"tls": {"client_certificate": "optional", "client_ca": str(certificates.authority.file)}})
    approval = assert_waits(send(gate, DELETE))
    assert error(gate.people("GET", f"/approvals/{approval}"), 401) == "unauthenticated"
    gate.client = certificates.authority.client("person", ["uri:spiffe://example/ci"])
    assert gate.people("POST", f"/approvals/{approval}", None, REASON).status == 200
    gate.client = None
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1
    assert [one["principal"] for one in approvals(gate, "given")] == ["viewer"]


@pytest.mark.parametrize("approvals_settings, tls, pointer", [
    ({"listen": "10.0.0.1:8082"}, True, "/approvals/listen"),
    ({"listen": "127.0.0.1:8082", "tls": True}, False, "/approvals/tls"),
    ({"listen": "unix:/run/x/a.sock", "tls": True}, True, "/approvals/tls"),
    ({"listen": "10.0.0.1:8082", "tls": True}, True, None),
])
def test_check(tmp_path, certificates, approvals_settings, tls, pointer):
    document = {"contract": str(ROOT / "conf" / "integrations.openapi.json"), "policy": "policy.json", "approvals": approvals_settings}
    if tls:
        document["tls"] = {"certificate": str(certificates.good.file), "key": str(certificates.good.key_file)}
        document["listen"] = [{"address": "127.0.0.1:0", "tls": True}]
    (tmp_path / "policy.json").write_text(json.dumps(world.policy()))
    (tmp_path / "portcullis.json").write_text(json.dumps(document))
    problems = json.loads(run("check", "-c", tmp_path / "portcullis.json", "--json", status=1 if pointer else 0).out)
    assert [problem["pointer"] for problem in problems if problem["severity"] == "error"] == ([pointer] if pointer else [])
