"""Which header fields reach the upstream, and which the gate writes itself."""

import json
import re
import uuid

import pytest

import world
from checks import access_line, fields_of, records_of, request_id
from world import CREATE, DELETE, ECR, INTEGRATIONS, READ, TOKENS, UPDATE, VERSION

# Sent by a client, must never arrive.
DROPPED = [
    # Hop by hop (RFC 9110, section 7.6.1).
    ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"), ("Trailer", "X-Sum"), ("Upgrade", "h2c"), ("Proxy-Authorization", "Basic eDp5"),
    # Another method.
    ("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "DELETE"), ("X-Method-Override", "DELETE"), ("X_HTTP_Method_Override", "DELETE"),
    # An identity or an origin that the client claims.
    ("Forwarded", "for=1.2.3.4"), ("X-Real-IP", "1.2.3.4"), ("X-Client-IP", "1.2.3.4"), ("True-Client-IP", "1.2.3.4"),
    ("X-Forwarded-User", "root"), ("X-Forwarded-Port", "1"), ("X_Forwarded_For", "1.2.3.4"), ("Cookie", "session=1"),
    ("X-Original-URL", "/rest/self"), ("X-Rewrite-URL", "/rest/self"),
]


def seen_by(sandbox):
    [line] = sandbox.ledger()
    return line


@pytest.mark.parametrize("name, value", DROPPED, ids=[name for name, _ in DROPPED])
def test_dropped(gate, sandbox, name, value):
    answer = gate.request("GET", READ.target, TOKENS["viewer"], headers=[(name, value)])
    assert answer.status == 200, answer
    line = seen_by(sandbox)
    assert fields_of(line, name) == [], line
    assert value not in [text for _, text in line["headers"]], line


def test_named_in_connection(gate, sandbox):
    answer = gate.request("GET", READ.target, TOKENS["viewer"],
                          headers=[("Connection", "close, X-Private"), ("X-Private", "1"), ("X-Public", "2")])
    assert answer.status == 200, answer
    line = seen_by(sandbox)
    assert fields_of(line, "x-private") == []
    assert fields_of(line, "x-public") == ["2"]


def test_other_fields_pass(gate, sandbox):
    answer = gate.request("GET", READ.target, TOKENS["viewer"],
                          headers=[("User-Agent", "test/1"), ("Accept", "application/vnd.api+json"), ("X-Team", "a"), ("X-Team", "b")])
    assert answer.status == 200, answer
    line = seen_by(sandbox)
    assert fields_of(line, "user-agent") == ["test/1"]
    assert fields_of(line, "accept") == ["application/vnd.api+json"]
    assert fields_of(line, "x-team") in (["a", "b"], ["a, b"])


def test_written_by_the_gate(gate, sandbox):
    answer = gate.request("GET", READ.target, TOKENS["viewer"], headers=[
        ("Host", f"gate.example:{gate.port}"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil"),
        ("X-Request-Id", "mine"), ("Accept-Encoding", "gzip"), ("Via", "1.1 before")])
    assert answer.status == 200, answer
    line = seen_by(sandbox)
    assert fields_of(line, "host") == [f"127.0.0.1:{sandbox.port}"]
    assert fields_of(line, "x-forwarded-for") == ["127.0.0.1"]
    assert fields_of(line, "x-forwarded-proto") == ["http"]
    assert fields_of(line, "x-forwarded-host") == [f"gate.example:{gate.port}"]
    assert fields_of(line, "accept-encoding") in ([], ["identity"])
    [via] = fields_of(line, "via")
    assert re.fullmatch(r"1\.1 before, 1\.1 \S+", via), via
    [identity] = fields_of(line, "x-request-id")
    assert str(uuid.UUID(identity)) == identity
    assert access_line(gate, identity)["status"] == 200
    assert len({name for name, _ in line["headers"]}) == len(line["headers"]), "no field twice"


def test_trace_begins(gate, sandbox):
    gate.request("GET", READ.target, TOKENS["viewer"])
    [trace] = fields_of(seen_by(sandbox), "traceparent")
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", trace), trace


def test_trace_goes_on(gate, sandbox):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    gate.request("GET", READ.target, TOKENS["viewer"], headers={"traceparent": parent, "tracestate": "a=1"})
    line = seen_by(sandbox)
    [trace] = fields_of(line, "traceparent")
    assert trace.split("-")[1] == parent.split("-")[1], "the same trace"
    assert trace.split("-")[2] != parent.split("-")[2], "another span"
    assert trace.split("-")[3] == "01"
    assert fields_of(line, "tracestate") == ["a=1"]


def test_ids_are_the_same_everywhere(gate, sandbox):
    """Trace id, request id and the API's own id: in the answer, at the API, in the access log and in the journal."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body, headers={"traceparent": f"cc-{trace}-00f067aa0ba902b7-03-later"})
    line = seen_by(sandbox)
    identity = answer.field("portcullis-request-id")
    assert fields_of(line, "x-request-id") == [identity]
    [sent] = fields_of(line, "traceparent")
    assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-01", sent), "version and flags are those that the gate knows"
    logged = access_line(gate, identity)
    intent, outcome = records_of(gate, identity, ["intent", "outcome"])
    assert logged["trace_id"] == intent["trace_id"] == outcome["trace_id"] == trace
    assert logged["upstream_request_id"] == outcome["upstream_request_id"] == answer.field("snyk-request-id")
    refused = gate.request("DELETE", DELETE.target, TOKENS["viewer"])
    assert refused.status == 403
    [record] = records_of(gate, request_id(refused), ["refused"])
    assert record["trace_id"] == access_line(gate, request_id(refused))["trace_id"] != trace


@pytest.mark.parametrize("parent", [
    "junk", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])
def test_trace_that_is_none_is_begun_anew(gate, sandbox, parent):
    assert gate.request("GET", READ.target, TOKENS["viewer"], headers={"traceparent": parent, "tracestate": "a=1"}).status == 200
    line = seen_by(sandbox)
    [trace] = fields_of(line, "traceparent")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", trace), trace
    assert trace.split("-")[1] not in parent.lower()
    assert fields_of(line, "tracestate") == [], "a state without its trace means nothing"


def test_canonical_target_is_forwarded(gate, sandbox):
    """What policy judged is what is sent: decoded once, UUIDs lower-case, nothing of the client's spelling left."""
    spelled = f"/%72est/orgs/{INTEGRATIONS.split('/')[3].upper()}/integrations/%61{ECR[1:].upper()}?%76ersion=2024%2D10-15"
    answer = gate.request("GET", spelled, TOKENS["viewer"])
    assert answer.status == 200, answer
    assert seen_by(sandbox)["target"] == READ.target


def test_absolute_form(gate, sandbox):
    answer = gate.request("GET", f"http://gate.example{READ.target}", TOKENS["viewer"], headers={"Host": "gate.example"})
    assert answer.status == 200, answer
    assert seen_by(sandbox)["target"] == READ.target


def test_body_is_forwarded_as_it_was_judged(gate, sandbox):
    """Framing is the gate's, the media type the client's, the value the same."""
    spaced = json.dumps(UPDATE.body, indent=4).encode()
    answer = gate.request("PATCH", UPDATE.target, TOKENS["updater"], headers={"Content-Type": "application/json"}, body=spaced)
    assert answer.status == 200, answer
    line = seen_by(sandbox)
    assert json.loads(line["body"]) == UPDATE.body
    assert fields_of(line, "content-length") == [str(len(line["body"]))]
    assert fields_of(line, "transfer-encoding") == []


def test_chunked_body_is_forwarded_with_a_length(gate, sandbox):
    text = json.dumps(CREATE.body).encode()
    data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (text[:7], text[7:40], text[40:])) + b"0\r\n\r\n"
    received = gate.raw(b"POST %s HTTP/1.1\r\nHost: gate\r\nAuthorization: Token %s\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n%s" % (
                            CREATE.target.encode(), TOKENS["creator"].encode(), data))
    assert received.startswith(b"HTTP/1.1 201 "), received
    line = seen_by(sandbox)
    assert json.loads(line["body"]) == CREATE.body
    assert fields_of(line, "content-length") == [str(len(line["body"]))]
    assert fields_of(line, "transfer-encoding") == []


def test_bodiless_delete_with_a_content_type(gate, sandbox):
    """Real clients name a media type even where there is no content."""
    answer = gate.request("DELETE", READ.target, TOKENS["deleter"], headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer
    line = seen_by(sandbox)
    assert line["body"] in ("", None)
    assert fields_of(line, "transfer-encoding") == []


def test_http_1_0(gate, sandbox):
    received = gate.raw(f"GET {READ.target} HTTP/1.0\r\nHost: gate\r\nAuthorization: Token {TOKENS['viewer']}\r\n\r\n".encode())
    assert received.startswith(b"HTTP/1."), received
    assert b" 200 " in received.split(b"\r\n")[0]
    assert b"transfer-encoding" not in received.lower().split(b"\r\n\r\n")[0]
    assert seen_by(sandbox)["target"] == READ.target


def test_version_header_names_can_be_set(make_gate, sandbox):
    policy = world.policy()
    policy["api_versions"]["headers"] = ["Api-Date"]
    gate = make_gate(sandbox, policy=policy)
    assert gate.request("GET", INTEGRATIONS, TOKENS["viewer"], headers={"Api-Date": VERSION}).status == 200
    assert gate.request("GET", INTEGRATIONS, TOKENS["viewer"], headers={"Snyk-Version": VERSION}).status == 400
