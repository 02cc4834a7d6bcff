"""The corpus of raw requests (tests/wire) against the running gate: each in clear and over TLS, whole and a byte at a time, alone and behind a
good request. What the gate lets through is what the upstream gets, and what Node's parser reads too."""

import http.client
import io
import json
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

import wire_corpus
from checks import fields_of
from processes import PATIENCE, Gate, Sandbox, wait_until
from world import FIXTURES, PAYMENTS, READ, TOKENS, VERSION, policy

# A resource that every method is good for, so that every accepted request can be sent on.
ANYTHING = f"/rest/orgs/{PAYMENTS}/anything"
TARGET = f"{ANYTHING}?version={VERSION}".encode()
BODY = {"oneOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "string"}]}
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
WITH_BODY = ("POST", "PUT", "PATCH")
GOOD = f"GET {READ.target} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {READ.token}\r\n\r\n".encode()


def contract():
    def operation(method):
        permission = "org.integration.read" if method in SAFE else "org.integration.edit"
        described = {"operationId": f"any{method.title()}", "responses": {},
                     "x-portcullis": {"permission": permission, "effect": "read" if method in SAFE else "update"}}
        if method in WITH_BODY:
            described["requestBody"] = {"content": {"application/json": {"schema": BODY}}}
        return described

    parameters = [{"name": "org_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
                  {"name": "version", "in": "query", "required": True, "schema": {"type": "string"}}]
    path = {"parameters": parameters, **{method.lower(): operation(method) for method in SAFE + WITH_BODY + ("DELETE",)}}
    return {"openapi": "3.0.3", "info": {"title": "anything", "version": "1"}, "servers": [{"url": "https://localhost/rest"}],
            "paths": {"/orgs/{org_id}/anything": path}}


@pytest.fixture(scope="module", params=["plain", "tls"])
def world(request, tmp_path_factory, certificates):
    """A sandbox; a gate with the corpus's bounds; and one with the contract above and ordinary bounds. In clear, or with TLS."""
    directory = tmp_path_factory.mktemp("wire")
    certificate = certificates.good if request.param == "tls" else None
    (directory / "anything.json").write_text(json.dumps(contract()))
    sandbox = Sandbox(directory, fixtures=FIXTURES).start()
    bounded = Gate(directory, sandbox, policy(), {"limits": wire_corpus.LIMITS}, name="bounded", certificate=certificate).start()
    carrying = Gate(directory, sandbox, policy(), {"contract": "anything.json"}, name="carrying", certificate=certificate).start()
    yield sandbox, bounded, carrying
    for process in (carrying, bounded, sandbox):
        process.stop()


class Tls:
    """TLS on a socket whose sending side can be closed while the other is read, which ssl.SSLSocket cannot do."""

    def __init__(self, connection, context):
        self.connection = connection
        self.received, self.sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.sent, server_hostname="localhost")
        self.run(self.tls.do_handshake)

    def run(self, step, *arguments):
        """Does a step as often as it asks for more to read; None when there is no more."""
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                if not (data := self.connection.recv(65536)):
                    return None
                self.received.write(data)
            finally:
                self.flush()

    def flush(self):
        if self.sent.pending:
            self.connection.sendall(self.sent.read())

    def sendall(self, data):
        self.run(self.tls.write, data)

    def shutdown(self, _how):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def recv(self, size):
        try:
            return self.run(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""


def send(gate, data, how):
    """What comes back until the gate closes. The sending side is closed behind the data: what is cut short must not be waited for."""
    received = b""
    with socket.create_connection((gate.host, gate.port), timeout=PATIENCE) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Tls(plain, gate.tls()) if gate.certificate else plain
        try:
            for piece in ([data] if how == "whole" else [bytes([byte]) for byte in data]):
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
    return received


class Received(io.BytesIO):
    """Bytes as http.client reads them from a socket."""

    def makefile(self, _mode):
        return self

    def close(self):
        """HTTPResponse closes what it read from; the next answer lies behind."""


def answers(received, methods):
    """(status, request id) of the first answers, one for each method at most. Interim answers are passed over."""
    stream, found = Received(received), []
    for method in methods:
        if stream.tell() == len(received):
            break
        answer = http.client.HTTPResponse(stream, method=method)
        answer.begin()
        answer.read()
        found.append((answer.status, answer.getheader("portcullis-request-id")))
    return found


def request_line(data):
    """Method and target of a raw request, as far as they can be told; ("GET", "") otherwise."""
    match = re.match(rb"(?:\r\n)*([A-Z]+) (\S*)", data)
    return (match[1].decode(), match[2].decode("latin-1")) if match else ("GET", "")


def method_of(data):
    return request_line(data)[0]


def access_lines(gate, identities):
    """The access log by request id, once it has all of them."""
    wanted = set(identities)
    found = {}

    def all_there():
        found.update((line["request_id"], line) for line in gate.access_log(1))
        return wanted <= found.keys()

    wait_until(all_there, what="the lines of the access log")
    return found


def wrong_with(case, answer, line):
    """What is not as expect.tsv has it; None when nothing is."""
    if case.outcome in wire_corpus.UNFINISHED:
        return f"answered {answer}" if answer else None
    if answer is None:
        return "no answer"
    if not case.accepted:
        found = line["gate"], line.get("rule")
        return None if found == ("wire", case.outcome) and answer[0] == line["status"] else f"refused as {found} with {answer[0]}"
    if line["gate"] == "wire":
        return f"refused: {line['rule']}"
    method, target = request_line(case.data)
    # The log shows paths alone: what stands behind them may be a secret.
    path = re.split("[?#]", target)[0] if target[0] == "/" else "(not a path)"
    return None if (line["method"], line["target"]) == (method, path) else f"judged as {line['method']} {line['target']}"


@pytest.mark.parametrize("place", ["alone", "behind"])
@pytest.mark.parametrize("how", ["whole", "bytes"])
def test_corpus(world, how, place):
    """Accepted, refused for the reason expected with its status, or waited for: the same in every form."""
    _, gate, _ = world
    cases = wire_corpus.cases()
    before = [GOOD] if place == "behind" else []

    def run(case):
        data = b"".join(before) + case.data
        return answers(send(gate, data, how), ["GET"] * len(before) + [method_of(case.data)])

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, cases))
    lines = access_lines(gate, [identity for result in results for _, identity in result])
    wrong = []
    for case, result in zip(cases, results):
        if place == "behind" and (not result or result.pop(0)[0] != 200):
            wrong.append(f"{case}: the good request before it was not answered")
            continue
        answer = result[0] if result else None
        if fault := wrong_with(case, answer, lines[answer[1]] if answer else None):
            wrong.append(f"{case}: expected {case.outcome}: {fault}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def carry(case):
    """The same request with a target that exists and what authorises it; all else stays, byte for byte."""
    data = case.data
    match = re.match(rb"((?:\r\n)*\S+ )(https?://[^/ ]*)?(\S*)( HTTP/1\.\d\r\n)", data)
    added = f"Authorization: Token {TOKENS['editor']}\r\nContent-Type: application/json\r\n".encode()
    whole = match[1] + (match[2] or b"") + TARGET + match[4] + added + data[match.end():]
    return whole[:len(whole) - case.left] if case.left else whole


def judged(case):
    """What is to become of the carried request: the content that is sent on, and None or the rule that refuses it."""
    method = method_of(case.data)
    if case.content and method not in WITH_BODY:
        return "", "unexpected-content"
    try:
        return (json.dumps(json.loads(case.content), separators=(",", ":")) if case.content else ""), None
    except ValueError:
        return "", "malformed-body"


# Framed rightly, and refused all the same: by what rule.
NOT_SENT = {
    "target-absolute-other-host": "host-mismatch",
    "target-absolute-userinfo": "userinfo",
    "length-taken-away-by-connection": "connection",
    "host-taken-away-by-connection": "connection",
    "coding-in-content-encoding": "content-coding",
}
# What the gate writes itself, or in place of what the client sent.
OURS = {"host", "via", "x-request-id", "traceparent", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "content-length", "accept",
        "accept-encoding", "content-type"}


def values(fields, name):
    return [value for known, value in fields if known.lower() == name]


def differs(line, ledger, intent, content, read):
    """What in the ledger is not what was judged, or (`read`) not what Node reads in the client's bytes; None when nothing is."""
    if (line["verdict"], line["method"], line["target"]) != ("pass", ledger["method"], ledger["target"]):
        return f"judged as {line}"
    if ledger["target"] != TARGET.decode() or ledger["body"] != content:
        return f"sent on as {ledger}"
    if ledger["method"] in SAFE:
        if intent:
            return "a read has an intent"
    elif (intent["method"], intent["target"], json.dumps(intent["body"], separators=(",", ":")) if "body" in intent else "") != \
            (ledger["method"], ledger["target"], content):
        return f"recorded as {intent}"
    if read is None:
        return None
    if read.method != ledger["method"] or not read.target.endswith(TARGET):
        return f"Node reads {read.method} {read.target}"
    sent = [(name, value.decode("utf-8", "replace")) for name, value in read.fields]
    for name in {name.lower() for name, _ in ledger["headers"]} - OURS:
        if values(ledger["headers"], name) != values(sent, name):
            return f"{name}: sent on is {values(ledger['headers'], name)}, Node reads {values(sent, name)}"
    return None


@pytest.mark.parametrize("how", ["whole", "bytes"])
def test_what_is_judged_is_what_the_upstream_gets(world, how):
    """Of every accepted request: method, target and content in ledger, access log and journal are one, and are what Node reads in the
    client's bytes, every field that is sent on included. What is refused is not in the ledger."""
    sandbox, _, gate = world
    cases = wire_corpus.accepted()
    seen = len(sandbox.ledger())
    identities = []
    for case in cases:
        (_, identity), = answers(send(gate, carry(case), how), [method_of(case.data)])
        identities.append(identity)
    lines = access_lines(gate, identities)
    ledger = {fields_of(line, "x-request-id")[0]: line for line in sandbox.ledger()[seen:]}
    intents = {record["request_id"]: record for record in gate.exchanges("intent")}
    readings = wire_corpus.node([(case.name, carry(case)) for case in cases])
    assert ledger.keys() <= set(identities), "the upstream got more than was sent"
    wrong = []
    for case, identity in zip(cases, identities):
        content, refused = judged(case)
        refused = NOT_SENT.get(case.name, refused)
        line, read = lines[identity], readings[case.name][0]
        if refused:
            if identity in ledger or line["rule"] != refused:
                wrong.append(f"{case}: expected {refused}, judged as {line}")
        elif identity not in ledger:
            wrong.append(f"{case}: not sent on: {line}")
        elif fault := differs(line, ledger[identity], intents.get(identity), content, read[0] if read else None):
            wrong.append(f"{case}: {fault}")
    assert len(ledger) > 90
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def test_node_reads_the_same():
    """The grammar against llhttp. What the one accepts and the other refuses is in tests/wire/llhttp.tsv with its reason, and nothing else is
    there. What both accept has the same method, version, content and end, and the gate goes on with no connection that Node would close."""
    known = wire_corpus.differences()
    behind = b"GET /behind HTTP/1.1\r\nHost: gate.example\r\n\r\n"
    cases = wire_corpus.cases()
    readings = wire_corpus.node([(case.name, case.data + (b"" if case.left else behind) if case.accepted else case.data) for case in cases])
    wrong = []
    for case in cases:
        read, refusal = readings[case.name]
        if case.accepted and not read:
            if case.name not in known:
                wrong.append(f"{case}: accepted here, refused by Node ({refusal}), and not explained in llhttp.tsv")
            continue
        if case.name in known:
            wrong.append(f"{case}: explained in llhttp.tsv, but there is no such difference")
        if not case.accepted:
            continue
        first = read[0]
        found, expected = (first.method, first.version, first.body), (method_of(case.data), case.known[0], case.content)
        if found != expected:
            wrong.append(f"{case}: Node reads {found}, the gate {expected}")
        keep = case.known[1] == "keep"
        if keep and not first.keep:
            wrong.append(f"{case}: Node closes the connection, the gate does not")
        # Behind a request for an upgrade Node reads nothing more, whether or not there was one.
        if keep and not case.left and b"\r\nUpgrade:" not in case.data and [one.target for one in read[1:]] != [b"/behind"]:
            wrong.append(f"{case}: to Node it ends elsewhere: behind it {read[1:]}")
    assert known.keys() <= {case.name for case in cases}
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)
