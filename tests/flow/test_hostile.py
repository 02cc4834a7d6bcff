"""The table of hostile requests: each sent raw over a connection of its own, its verdict compared, and the upstream asked what it saw."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from processes import ROOT
from world import BY_ID, ECR, PAYMENTS, READ, TOKENS, VERSION, body_bytes

TABLE = ROOT / "tests" / "tables" / "hostile_requests.tsv"
NAMES = {"$ORG": PAYMENTS, "$UORG": PAYMENTS.upper(), "$ID": ECR, "$UID": ECR.upper(), "$VIEWER": TOKENS["viewer"], "$V": VERSION}
KINDS = ["target", "query", "version", "header", "change", "create", "update", "settings", "raw"]


def expand(text):
    """The bytes that the table's spelling stands for."""
    for name in sorted(NAMES, key=len, reverse=True):
        text = re.sub(re.escape(name) + r"(?![A-Z])", NAMES[name], text)
    data = re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    return re.sub(rb"<<([^*]*)\*(\d+)>>", lambda match: match[1] * int(match[2]), data)


def rows():
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            kind, text, verdict = line.split("\t")
            assert kind in KINDS, f"line {number}"
            yield number, kind, text, verdict


def head(method, target, token, *lines):
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: gate", b"Connection: close", b"Authorization: Token " + token.encode(),
                         *lines]) + b"\r\n\r\n"


def with_body(operation, lines, body):
    return head(operation.method.encode(), operation.target.encode(), TOKENS["editor"], b"Content-Length: %d" % len(body), *lines) + body


def request(kind, data):
    """A whole request from a row's input."""
    target = READ.target.encode()
    viewer = TOKENS["viewer"]
    if kind == "target":
        return head(b"GET", data, viewer)
    if kind == "query":
        return head(b"GET", BY_ID["listIntegrations"].target.encode() + b"&" + data, viewer)
    if kind == "version":
        return head(b"GET", READ.path.encode() + b"?version=" + data, viewer)
    if kind == "header":
        # Of content that a row announces five bytes come, so that nothing waits for them.
        return head(b"GET", target, viewer, data) + (b"0\r\n\r\n" if b"ransfer-" in data else b"5byte" if b"Content-Length" in data else b"")
    if kind == "change":
        return with_body(BY_ID["updateIntegration"], [data], body_bytes(BY_ID["updateIntegration"]))
    if kind == "raw":
        return data
    operation = {"create": BY_ID["createIntegration"], "update": BY_ID["updateIntegration"], "settings": BY_ID["updateIntegrationSettings"]}[kind]
    return with_body(operation, [b"Content-Type: application/json"], data)


def outcome(received):
    """Status and code of what came back; (0, "") for a closed connection."""
    if not received:
        return 0, ""
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", received)
    if not match:
        return -1, repr(received[:60])
    code = re.search(rb'"code":"portcullis-([a-z-]+)"', received)
    return int(match[1]), code[1].decode() if code else ""


def agrees(verdict, status, code):
    if verdict == "pass" or verdict.startswith("/"):
        return 200 <= status < 300 or (status in (400, 404, 409) and not code)  # the upstream's own word is a passage too
    if verdict == "refused":
        return status == 0 or 400 <= status < 600
    if verdict == "4xx|501":
        return 400 <= status < 500 or status == 501
    expected, _, name = verdict.partition(" ")
    return status == int(expected) and code.startswith(name)


def send(gate, data):
    """The request's verdict. The sending side is closed behind it: what is cut short must not be waited for."""
    with gate.connect() as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
    return outcome(received)


def check(gate, sandbox, table):
    """Sends the rows one after the other and returns what is wrong."""
    wrong = []
    before = len(sandbox.ledger())
    for number, kind, text, verdict in table:
        status, code = send(gate, request(kind, expand(text)))
        if not agrees(verdict, status, code):
            wrong.append(f"line {number}: {kind} {text[:120]!r}: expected {verdict}, got {status} {code}")
        seen = [line["target"] for line in sandbox.ledger()[before:]]
        before += len(seen)
        passes = verdict == "pass" or verdict.startswith("/")
        if len(seen) != passes or (verdict.startswith("/") and seen != [expand(verdict).decode()]):
            wrong.append(f"line {number}: {kind} {text[:120]!r}: expected {verdict}, the upstream saw {seen}")
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_table(make_gate, make_sandbox, kind):
    sandbox = make_sandbox()
    gate = make_gate(sandbox)
    table = [row for row in rows() if row[1] == kind]
    assert len(table) >= 10
    wrong = check(gate, sandbox, table)
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)
    # After all that, the gate works as it did.
    answer = gate.request("GET", READ.target, READ.token)
    assert answer.status == 200
    # Every answer that was made has its line in the access log, and every line is JSON.
    assert len(gate.access_log(2)) <= len(table) + 1


def test_all_at_once(gate, sandbox):
    """The refused rows from many clients at the same time: none gets through, and good requests between them all do."""
    table = [(kind, text) for _, kind, text, verdict in rows() if verdict[0] in "45r"]
    with ThreadPoolExecutor(16) as pool:
        good = [pool.submit(gate.request, "GET", READ.target, READ.token) for _ in range(20)]
        bad = [pool.submit(send, gate, request(kind, expand(text))) for kind, text in table]
        good += [pool.submit(gate.request, "GET", READ.target, READ.token) for _ in range(20)]
        assert {future.result().status for future in good} == {200}
        for future, (kind, text) in zip(bad, table):
            status, _ = future.result()
            assert status == 0 or status >= 400, (kind, text, status)
    assert len(sandbox.ledger()) == 40
    for line in gate.access_file.read_text().splitlines():
        json.loads(line)
