"""Each of the seven operations refused for each reason that can apply: the client's answer, the empty ledger, the journal and the access log."""

import copy
import http.client
import json
from dataclasses import dataclass
from typing import Callable

import pytest

from checks import access_line, assert_error, records_of, request_id
from world import ABSENT, BY_ID, ECR, INTEGRATIONS, OPERATIONS, OTHER, PAYMENTS, SEARCH, SECRET_PASSWORD, TOKENS, VERSION, Operation


@dataclass
class Case:
    """A request to send: the operation's good one, changed in one way."""
    method: str
    target: str
    token: str = None
    headers: list = None
    body: object = None


def good(operation):
    return Case(operation.method, operation.target, operation.token, [], copy.deepcopy(operation.body))


@dataclass
class Reason:
    name: str
    status: int
    code: str
    change: Callable[[Case, Operation], None]
    applies: Callable[[Operation], bool] = lambda operation: True
    known: bool = True           # the principal is known: a refused mutation is in the journal
    source: dict = None          # expected `source` of the first error
    detail: str = ""             # expected within a detail


REASONS = []


def reason(name, status, code, **more):
    def add(change):
        REASONS.append(Reason(name, status, code, change, **more))
        return change

    return add


def set_member(document, path, value):
    *parents, last = path.split("/")
    for name in parents:
        document = document.setdefault(name, {})
    document[last] = value


def has_body(operation):
    return operation.body is not None


def is_mutation(operation):
    return operation.mutation


def version(text):
    def change(case, operation):
        case.target = f"{operation.path}?version={text}"

    return change


def add_parameter(text):
    def change(case, operation):
        case.target += "&" + text

    return change


def set_token(token):
    def change(case, operation):
        case.token = token

    return change


def header(name, value):
    def change(case, operation):
        case.headers.append((name, value))

    return change


def raw_body(text, media_type="application/vnd.api+json"):
    def change(case, operation):
        case.body = text
        case.headers.append(("Content-Type", media_type))

    return change


def body_member(path, value):
    def change(case, operation):
        set_member(case.body, path, value)

    return change


# Identity.
reason("no token", 401, "unauthenticated", known=False)(set_token(None))
reason("unknown token", 401, "unauthenticated", known=False)(set_token("who-am-i"))


@reason("scheme Basic", 401, "unauthenticated", known=False)
def scheme_basic(case, operation):
    case.headers.append(("Authorization", f"Basic {case.token}"))


@reason("a token in a scheme without a space", 401, "unauthenticated", known=False)
def scheme_glued(case, operation):
    case.headers.append(("Authorization", f"Token{case.token}"))


@reason("two tokens", 400, "repeated-field", known=False)
def two_tokens(case, operation):
    case.headers += [("Authorization", f"Token {case.token}"), ("Authorization", f"Token {TOKENS['nobody']}")]


# Permission.
reason("no grant at all", 403, "forbidden", detail="org.integration.")(set_token(TOKENS["nobody"]))
reason("reading alone", 403, "forbidden", applies=is_mutation, detail="org.integration.")(set_token(TOKENS["viewer"]))
reason("editing denied", 403, "forbidden", applies=is_mutation, detail="org.integration.")(set_token(TOKENS["uneditor"]))
reason("reading denied", 403, "forbidden", applies=lambda operation: not operation.mutation, detail="org.integration.read")(
    set_token(TOKENS["unreader"]))
reason("delete denied", 403, "forbidden", applies=lambda operation: operation.id == "deleteIntegration",
       detail="org.integration.delete")(set_token(TOKENS["undeleter"]))
for _token in ("creator", "updater", "deleter", "setter"):
    reason(f"another permission alone ({_token})", 403, "forbidden", detail="org.integration.",
           applies=lambda operation, token=_token: operation.token != TOKENS[token] and (operation.mutation or token != "deleter"))(
        set_token(TOKENS[_token]))


@reason("another organisation", 403, "forbidden", detail="org.integration.")
def another_organization(case, operation):
    case.target = case.target.replace(PAYMENTS, SEARCH)
    case.token = TOKENS["editor"]


@reason("an organisation that policy does not list", 403, "forbidden", detail="org.integration.")
def unlisted_organization(case, operation):
    case.target = case.target.replace(PAYMENTS, "99999999-9999-4999-8999-999999999999")


# Version.
@reason("no version", 400, "version")
def no_version(case, operation):
    case.target = operation.path


for _name, _text in {
        "a word": "latest", "month 13": "2024-13-01", "month 00": "2025-00-10", "day 32": "2025-01-32", "an unreal day": "2025-02-31",
        "29 February of a common year": "2025-02-29", "too old": "2024-10-14", "too old by far": "0001-01-01", "a bare word": "beta",
        "wip": "2025-01-01~wip", "work-in-progress": "2025-01-01~work-in-progress", "experimental": "2025-01-01~experimental",
        "an unknown stability": "2025-01-01~gamma", "a newline behind it": "2025-01-01%0A", "a space behind it": "2025-01-01%20",
        "a time": "2025-01-01T00:00:00Z", "two": "2024-10-15,2025-01-01", "Arabic digits": "%D9%A2024-10-15",
        "upper case": "2025-01-01~BETA"}.items():
    # A newline is refused with the spelling already.
    reason(f"version: {_name}", 400, "malformed-target" if "%0A" in _text else "version")(version(_text))

reason("version: header and query differ", 400, "version")(header("Snyk-Version", "2025-01-01"))
reason("version: the other header and query differ", 400, "version")(header("X-Snyk-Version", "2025-01-01"))


@reason("version: wrong in the header alone", 400, "version")
def version_header_wrong(case, operation):
    case.target = operation.path
    case.headers.append(("Snyk-Version", "yesterday"))


@reason("version: the two headers differ", 400, "version")
def version_headers_differ(case, operation):
    case.target = operation.path
    case.headers += [("Snyk-Version", VERSION), ("X-Snyk-Version", "2025-01-01")]


@reason("version: a header twice", 400, "repeated-field")
def version_header_twice(case, operation):
    case.target = operation.path
    case.headers += [("Snyk-Version", VERSION), ("Snyk-Version", VERSION)]


# Target and parameters.
@reason("organisation: not a UUID", 400, "parameter")
def organization_no_uuid(case, operation):
    case.target = case.target.replace(PAYMENTS, "payments")


@reason("integration: not a UUID", 400, "parameter", applies=lambda operation: operation.resource)
def integration_no_uuid(case, operation):
    case.target = case.target.replace(ECR, ECR[:-1])


@reason("integration: braces", 400, "parameter", applies=lambda operation: operation.resource)
def integration_braces(case, operation):
    case.target = case.target.replace(ECR, "%7B" + ECR + "%7D")


reason("unknown parameter", 400, "parameter", source={"parameter": "force"})(add_parameter("force=true"))
reason("parameter in another case", 400, "parameter")(add_parameter("Version=2024-10-15"))
reason("repeated parameter", 400, "malformed-target", source={"parameter": "version"})(add_parameter("version=2024-10-15"))
reason("repeated parameter, spelled otherwise", 400, "malformed-target", source={"parameter": "version"})(add_parameter("%76ersion=2024-10-15"))
reason("empty parameter", 400, "malformed-target")(add_parameter("limit="))
reason("parameter without a value", 400, "malformed-target")(add_parameter("limit"))
reason("parameter without a name", 400, "malformed-target")(add_parameter("=10"))
reason("encoded slash", 400, "malformed-target")(
    lambda case, operation: setattr(case, "target", case.target.replace("/integrations", "%2Fintegrations")))
reason("dot segment", 400, "malformed-target")(
    lambda case, operation: setattr(case, "target", case.target.replace("/orgs", "/./orgs")))
reason("trailing slash", 400, "malformed-target")(
    lambda case, operation: setattr(case, "target", case.target.replace("?", "/?")))
for _text in ("0", "5", "15", "110", "1000", "-10", "ten", "1e1", "010", "10.0", "%2B10"):
    reason(f"limit={_text}", 400, "parameter", applies=lambda operation: operation.paged, source={"parameter": "limit"})(
        add_parameter(f"limit={_text}"))
reason("limit where nothing is paged", 400, "parameter", applies=lambda operation: not operation.paged, source={"parameter": "limit"})(
    add_parameter("limit=10"))
reason("both cursors", 400, "parameter", applies=lambda operation: operation.paged)(
    add_parameter("starting_after=v1.eyJhIjoxfQ%3D%3D&ending_before=v1.eyJhIjoxfQ%3D%3D"))
reason("a cursor of another form", 400, "parameter", applies=lambda operation: operation.paged, source={"parameter": "starting_after"})(
    add_parameter("starting_after=v2.eyJhIjoxfQ%3D%3D"))


@reason("a path that is not in the contract", 404, "no-such-operation")
def unknown_path(case, operation):
    case.target = case.target.replace("?", "/audit/log?")


@reason("the older API", 404, "no-such-operation")
def older_api(case, operation):
    case.target = case.target.replace("/rest/orgs", "/v1/org")


@reason("the path in another case", 404, "no-such-operation")
def path_case(case, operation):
    case.target = case.target.replace("/integrations", "/Integrations")


# Content.
def no_body(operation):
    return operation.body is None


reason("content where there is none", 400, "unexpected-content", applies=no_body)(raw_body("{}"))
reason("media type text/plain", 415, "media-type", applies=has_body)(header("Content-Type", "text/plain"))
reason("media type with two values", 415, "media-type", applies=has_body)(
    header("Content-Type", "application/json, text/plain"))
reason("media type form", 415, "media-type", applies=has_body)(header("Content-Type", "application/x-www-form-urlencoded"))
reason("media type in another charset", 415, "media-type", applies=has_body)(header("Content-Type", "application/json; charset=utf-16"))


@reason("two media types", 400, "repeated-field", applies=has_body)
def two_media_types(case, operation):
    case.headers += [("Content-Type", "application/json"), ("Content-Type", "application/vnd.api+json")]


@reason("an encoded content", 415, "media-type", applies=has_body)
def content_encoding(case, operation):
    case.headers.append(("Content-Encoding", "gzip"))


for _name, _text in {
        "not JSON": "data=1", "cut off": '{"data":', "a value behind it": "{} {}", "a comma too many": '{"data":{},}', "a comment": "{/**/}",
        "duplicate member": '{"data":{"type":"integration"},"data":{"type":"integration"}}',
        "duplicate member, escaped": '{"data":{"type":"integration","typ\\u0065":"integration"}}',
        "not UTF-8": b'{"data":"\xff"}', "overlong UTF-8": b'{"data":"\xc0\xaf"}', "a lone surrogate": '{"data":"\\ud800"}',
        "a NUL": '{"data":"\\u0000"}', "a byte order mark": b"\xef\xbb\xbf{}", "too deep": "[" * 200 + "]" * 200,
        "too deep and not closed": '{"data":' * 5000, "NaN": '{"data":NaN}', "single quotes": "{'data':1}", "spaces only": "  "}.items():
    reason(f"body: {_name}", 400, "malformed-body", applies=has_body)(raw_body(_text))

for _name, _text in {"an array": "[]", "null": "null", "a number": "1", "a string": '"data"'}.items():
    reason(f"body: {_name}", 400, "invalid-body", applies=has_body)(raw_body(_text))
# Of an update every part may be left out.
reason("body: empty", 400, "invalid-body", applies=lambda operation: has_body(operation) and operation.id != "updateIntegration")(raw_body("{}"))

reason("body: unknown member at the top", 400, "invalid-body", applies=has_body, source={"pointer": "/meta"})(body_member("meta", {}))
reason("body: unknown member of data", 400, "invalid-body", applies=has_body, source={"pointer": "/data/relationships"})(
    body_member("data/relationships", {}))
reason("body: unknown attribute", 400, "invalid-body", applies=has_body, source={"pointer": "/data/attributes/owner"})(
    body_member("data/attributes/owner", SECRET_PASSWORD))
reason("body: wrong type", 400, "invalid-body", applies=has_body, source={"pointer": "/data/type"})(body_member("data/type", "project"))
reason("body: another id than the path's", 400, "invalid-body", source={"pointer": "/data/id"},
       applies=lambda operation: has_body(operation) and operation.resource)(body_member("data/id", ABSENT))
reason("body: an id that is none", 400, "invalid-body", source={"pointer": "/data/id"},
       applies=lambda operation: has_body(operation) and operation.resource)(body_member("data/id", "mine"))


def only(identity):
    return lambda operation: operation.id == identity


reason("body: an id on create", 400, "invalid-body", applies=only("createIntegration"), source={"pointer": "/data/id"})(
    body_member("data/id", ABSENT))
reason("body: integration_type on update", 400, "invalid-body", applies=only("updateIntegration"),
       source={"pointer": "/data/attributes/integration_type"})(body_member("data/attributes/integration_type", "ecr"))
reason("body: name too long", 400, "invalid-body", applies=only("createIntegration"),
       source={"pointer": "/data/attributes/profile_name"})(body_member("data/attributes/profile_name", "x" * 256))
reason("body: name with a slash", 400, "invalid-body", applies=only("updateIntegration"),
       source={"pointer": "/data/attributes/profile_name"})(body_member("data/attributes/profile_name", "a/b"))
reason("body: credentials of another type", 400, "invalid-body", applies=only("createIntegration"))(
    body_member("data/attributes/credentials", {"region": "eu-west-1", "role_arn": "arn:aws:iam::123456789012:role/r"}))
reason("body: credentials of two types", 400, "invalid-body", applies=only("updateIntegration"))(
    body_member("data/attributes/credentials", {"username": "u", "role_arn": "arn:aws:iam::123456789012:role/r"}))
reason("body: a type that cannot be created", 400, "invalid-body", applies=only("createIntegration"))(
    body_member("data/attributes/integration_type", "github"))
reason("body: a string for a boolean", 400, "invalid-body", applies=only("updateIntegrationSettings"),
       source={"pointer": "/data/attributes/container_app_scan_enabled"})(body_member("data/attributes/container_app_scan_enabled", "false"))
reason("body: null for a boolean", 400, "invalid-body", applies=only("updateIntegrationSettings"),
       source={"pointer": "/data/attributes/container_app_scan_enabled"})(body_member("data/attributes/container_app_scan_enabled", None))


@reason("body too large", 413, "body-too-large", applies=has_body)
def too_large(case, operation):
    case.body = b" " * (1024 * 1024) + json.dumps(case.body).encode()
    case.headers.append(("Content-Type", "application/json"))


# Header fields.
reason("an order that the gate does not know", 400, "malformed-field")(header("Portcullis-Override", "yes"))
reason("Connection names what the gate decides by", 400, "malformed-field")(header("Connection", "authorization"))


def send(gate, case):
    return gate.request(case.method, case.target, case.token, case.headers, case.body)


CASES = [pytest.param(operation, reason, id=f"{operation.id}: {reason.name}")
         for operation in OPERATIONS for reason in REASONS if reason.applies(operation)]


@pytest.mark.parametrize("operation, why", CASES)
def test_refused(pair, operation, why):
    gate, sandbox = pair
    case = good(operation)
    why.change(case, operation)
    before = len(sandbox.ledger())
    answer = send(gate, case)
    errors = assert_error(answer, why.status, why.code)
    assert len(sandbox.ledger()) == before, "the upstream saw a refused request"
    identity = request_id(answer)
    if why.source:
        assert why.source in [error.get("source") for error in errors], errors
    if why.detail:
        assert any(why.detail in error["detail"] for error in errors), errors
    if why.status == 401:
        assert answer.field("WWW-Authenticate"), answer
    if why.status == 403:
        meta = errors[0]["meta"]
        assert meta["organization"] in case.target
        assert TOKENS[meta["principal"]] == case.token
        assert meta["permission"].startswith("org.integration.")
    line = access_line(gate, identity)
    assert line["status"] == why.status
    assert SECRET_PASSWORD not in answer.body.decode()

    records = records_of(gate, identity, ["refused"] if operation.mutation and why.known else [])
    for record in records:
        assert record["status"] == why.status
        assert TOKENS[record["principal"]] == case.token
        assert SECRET_PASSWORD not in json.dumps(record)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path, allow", [
    (INTEGRATIONS, {"GET", "POST"}),
    (f"{INTEGRATIONS}/{ECR}", {"GET", "PATCH", "DELETE"}),
    (f"{INTEGRATIONS}/{ECR}/settings", {"GET", "PATCH"})])
def test_method_not_allowed(pair, method, path, allow):
    gate, sandbox = pair
    before = len(sandbox.ledger())
    answer = gate.request(method, f"{path}?version={VERSION}", TOKENS["editor"])
    assert answer.status == 405, answer
    assert set(answer.field("Allow").replace(" ", "").split(",")) == allow
    if method == "HEAD":
        assert answer.body == b""
    else:
        identity = request_id(answer)
        assert_error(answer, 405, "method-not-allowed")
        assert access_line(gate, identity)["status"] == 405
        records_of(gate, identity, ["refused"] if method == "PUT" else [])
    assert len(sandbox.ledger()) == before


@pytest.mark.parametrize("operation", [BY_ID["listIntegrations"], BY_ID["deleteIntegration"]], ids=str)
def test_method_not_in_the_contract_for_a_path(pair, operation):
    """DELETE on the list and POST on one integration are not operations."""
    gate, sandbox = pair
    before = len(sandbox.ledger())
    method = {"listIntegrations": "DELETE", "deleteIntegration": "POST"}[operation.id]
    answer = gate.request(method, operation.target, TOKENS["editor"])
    assert_error(answer, 405, "method-not-allowed")
    assert len(sandbox.ledger()) == before


def test_every_finding_is_reported(pair):
    """All that is wrong with a body, each with its own pointer."""
    gate, _ = pair
    operation = BY_ID["createIntegration"]
    body = {"data": {"type": "integrations", "owner": 1, "attributes": {
        "integration_type": "docker-hub", "profile_name": "", "credentials": {"username": 7, "password": SECRET_PASSWORD, "extra": 1}}}}
    answer = gate.request("POST", operation.target, TOKENS["editor"], body=body)
    errors = assert_error(answer, 400, "invalid-body")
    assert {error["source"]["pointer"] for error in errors} >= {
        "/data/type", "/data/owner", "/data/attributes/profile_name", "/data/attributes/credentials/username",
        "/data/attributes/credentials/*"}  # a name there may be a secret
    assert SECRET_PASSWORD not in answer.body.decode()


def test_a_refusal_leaves_the_connection_usable(pair):
    """After a refusal with a small body the same connection serves the next request."""

    gate, _ = pair
    connection = http.client.HTTPConnection(gate.host, gate.port, timeout=20)
    try:
        for _ in range(3):
            connection.request("DELETE", BY_ID["deleteIntegration"].target, headers={"Authorization": f"Token {TOKENS['viewer']}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
            connection.request("GET", BY_ID["getIntegration"].target, headers={"Authorization": f"Token {TOKENS['viewer']}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
    finally:
        connection.close()


def test_an_integration_of_another_organization_is_the_upstreams_word(pair):
    """The gate cannot know whose an id is: the upstream answers 404, and that is passed on."""
    gate, _ = pair
    answer = gate.request("GET", f"{INTEGRATIONS}/{OTHER}?version={VERSION}", TOKENS["viewer"])
    assert answer.status == 404 and b"portcullis-" not in answer.body, answer


def test_strangers_cannot_fill_the_journal(gate, sandbox):
    """Requests without a token are counted, not recorded one by one."""
    for _ in range(200):
        assert gate.request("DELETE", BY_ID["deleteIntegration"].target, "stranger").status == 401
    gate.access_log(200)
    assert len([record for record in gate.journal() if record.get("request_id")]) == 0
    assert len(gate.journal()) < 10
    assert sandbox.ledger() == []
