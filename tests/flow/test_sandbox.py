"""The sandbox by itself: the seven operations, paging, conflicts, faults, framing and the ledger."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("PORTCULLIS_BUILD", "build") / "portcullis-sandbox"

PAYMENTS = "11111111-2222-4333-8444-555555555555"
RESEARCH = "22222222-3333-4444-8555-666666666666"
NOBODY = "99999999-9999-4999-8999-999999999999"
ECR = "aaaaaaaa-0001-4000-8000-000000000001"
DOCKER = "aaaaaaaa-0003-4000-8000-000000000001"
GITHUB = "aaaaaaaa-0004-4000-8000-000000000001"
BROKERED = "aaaaaaaa-0005-4000-8000-000000000001"
FROM_V1 = "aaaaaaaa-0006-4000-8000-000000000001"
VERSION = "version=2024-10-15"
JSON_API = "application/vnd.api+json"
DEADLINE = 10


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def pointers(self):
        return [error.get("source", {}).get("pointer") for error in self.json["errors"]]


class Sandbox:
    """A running sandbox."""

    def __init__(self, directory, *arguments, fixtures=None):
        self.port_file = directory / "port.json"
        self.ledger_file = directory / "ledger.jsonl"
        self.arguments = [str(PROGRAM), "--listen", "127.0.0.1:0", "--port-file", str(self.port_file),
                          "--ledger", str(self.ledger_file), *arguments]
        if fixtures is not None:
            file = directory / "fixtures.json"
            file.write_text(fixtures if isinstance(fixtures, str) else json.dumps(fixtures))
            self.arguments += ["--fixtures", str(file)]
        self.errors = directory / "stderr"

    def start(self):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(self.arguments, stderr=errors)
        deadline = time.monotonic() + DEADLINE
        while not self.port_file.exists():
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline, "the port file does not come"
            time.sleep(0.005)
        host, port = json.loads(self.port_file.read_text())["listen"][0].rsplit(":", 1)
        self.address = (host, int(port))
        return self

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(DEADLINE)
        finally:
            self.process.kill()

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=DEADLINE)

    def ask(self, method, target, body=None, headers=None, connection=None):
        headers = {"Authorization": "token any", **(headers or {})}
        if body is not None:
            headers.setdefault("Content-Type", JSON_API)
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        with contextlib.closing(self.connect()) if connection is None else contextlib.nullcontext(connection) as link:
            link.request(method, target, body, headers)
            return Answer(link.getresponse())

    def raw(self, data, half_close=False):
        """Sends bytes and returns everything until the sandbox closes."""
        with socket.create_connection(self.address, DEADLINE) as link:
            link.sendall(data)
            if half_close:
                link.shutdown(socket.SHUT_WR)
            return read_all(link)

    def fault(self, fault, count=1, **match):
        answer = self.ask("POST", "/_sandbox/faults", {"match": match, "fault": fault, "count": count})
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def ledger(self):
        return [json.loads(line) for line in self.ledger_file.read_text().splitlines()]

    def state(self, organization=PAYMENTS):
        return self.ask("GET", "/_sandbox/state").json["organizations"][organization]

    def names(self):
        return [one["profile_name"] for one in self.state()["integrations"]]


def read_all(link):
    data = b""
    while True:
        more = link.recv(65536)
        if not more:
            return data
        data += more


@pytest.fixture
def box(tmp_path):
    sandbox = Sandbox(tmp_path).start()
    yield sandbox
    assert sandbox.stop() == 0


@contextlib.contextmanager
def running(directory, *arguments, fixtures=None):
    sandbox = Sandbox(directory, *arguments, fixtures=fixtures).start()
    try:
        yield sandbox
    finally:
        status = sandbox.stop()
    assert status == 0


def integrations(organization=PAYMENTS, integration=None, rest=""):
    path = f"/rest/orgs/{organization}/integrations"
    return f"{path}/{integration}{rest}?{VERSION}" if integration else f"{path}?{VERSION}{rest}"


def create_body(name, kind="ecr", credentials=None):
    if credentials is None:
        credentials = {"region": "eu-west-1", "role_arn": "arn:aws:iam::123456789012:role/SnykEcrRole"}
    attributes = {"integration_type": kind, "profile_name": name, "credentials": credentials}
    return {"data": {"type": "integration", "attributes": attributes}}


def update_body(**attributes):
    return {"data": {"type": "integration", "attributes": attributes}}


def settings_body(identity, enabled):
    return {"data": {"type": "integration_settings", "id": identity,
                     "attributes": {"container_app_scan_enabled": enabled}}}


# --- The seven operations

def test_list(box):
    answer = box.ask("GET", integrations())
    assert answer.status == 200
    document = answer.json
    assert document["jsonapi"] == {"version": "1.0"}
    assert len(document["data"]) == 10
    first = document["data"][0]
    assert first["id"] == ECR and first["type"] == "integration"
    assert first["attributes"] == {"integration_type": "ecr", "profile_name": "payments-prod", "has_broker": False,
                                   "created_at": "2025-10-31T10:30:00Z", "updated_at": None}
    assert first["relationships"] == {"org": {"data": {"type": "org", "id": PAYMENTS}}}


def test_headers_of_the_api(box):
    answer = box.ask("GET", integrations(integration=ECR))
    assert answer.headers["content-type"] == JSON_API
    assert answer.headers["server"] == "portcullis-sandbox (a stand-in for testing)"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        answer.headers["snyk-request-id"])
    assert answer.headers["snyk-version-requested"] == "2024-10-15"
    assert answer.headers["snyk-version-served"] == "2024-10-15"
    assert answer.headers["snyk-version-lifecycle-stage"] == "beta"


def test_create_and_get(box):
    answer = box.ask("POST", integrations(), create_body("new one"))
    assert answer.status == 201
    made = answer.json["data"]
    assert answer.headers["location"] == integrations(integration=made["id"])
    assert answer.json["links"]["self"] == answer.headers["location"]
    assert made["attributes"]["created_at"] == made["attributes"]["updated_at"]
    assert b"credentials" not in answer.body and b"arn:" not in answer.body
    assert box.ask("GET", answer.headers["location"]).json["data"] == made
    assert "new one" in box.names()


def test_update_is_partial(box):
    before = box.ask("GET", integrations(integration=ECR)).json["data"]["attributes"]
    answer = box.ask("PATCH", integrations(integration=ECR), update_body(credentials={"region": "us-east-1"}))
    after = answer.json["data"]["attributes"]
    assert answer.status == 200
    assert after["updated_at"] != before["updated_at"]
    assert after["profile_name"] == before["profile_name"]
    renamed = box.ask("PATCH", integrations(integration=ECR), update_body(profile_name="renamed"))
    assert renamed.json["data"]["attributes"]["profile_name"] == "renamed"
    assert renamed.json["data"]["attributes"]["updated_at"] != after["updated_at"]
    assert box.ask("GET", integrations(integration=ECR)).json["data"] == renamed.json["data"]


def test_hard_delete_orphans_targets(box):
    def hanging():
        return [one for one in box.state()["targets"] if one["integration_id"] == ECR]

    orphans = [one["id"] for one in hanging()]
    assert len(orphans) == 4
    answer = box.ask("DELETE", integrations(integration=ECR))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["content-length"] is None and answer.headers["content-type"] is None
    assert box.ask("GET", integrations(integration=ECR)).status == 404
    assert box.ask("DELETE", integrations(integration=ECR)).status == 404
    assert hanging() == []
    listed = box.ask("GET", f"/rest/orgs/{PAYMENTS}/targets?{VERSION}&limit=100&exclude_empty=false").json["data"]
    found = {one["id"]: one["relationships"]["integration"]["data"] for one in listed}
    for orphan in orphans:
        assert found[orphan] == {"type": "integration", "id": None, "attributes": {"integration_type": "ecr"}}


def test_settings(box):
    path = integrations(integration=ECR, rest="/settings")
    answer = box.ask("GET", path)
    assert answer.json["data"] == {"type": "integration_settings", "id": ECR,
                                   "attributes": {"container_app_scan_enabled": True}}
    changed = box.ask("PATCH", path, settings_body(ECR, False))
    assert changed.status == 200
    assert changed.json["data"]["attributes"] == {"container_app_scan_enabled": False}
    assert box.ask("GET", path).json["data"] == changed.json["data"]
    assert box.ask("PATCH", path, settings_body(DOCKER, True)).pointers == ["/data/id"]


def test_other_types_are_read_only(box):
    path = integrations(integration=GITHUB, rest="/settings")
    assert box.ask("GET", path).json["data"]["attributes"] == {}
    assert box.ask("PATCH", path, settings_body(GITHUB, True)).status == 400
    assert box.ask("PATCH", integrations(integration=GITHUB), update_body(profile_name="x")).status == 400
    assert box.ask("DELETE", integrations(integration=GITHUB)).status == 400
    assert box.ask("GET", integrations(integration=GITHUB)).status == 200


def test_brokered_delete_needs_v1(box):
    refused = box.ask("DELETE", integrations(integration=BROKERED))
    assert refused.status == 400 and "broker" in refused.json["errors"][0]["detail"]
    switched = box.ask("PUT", f"/v1/org/{PAYMENTS}/integrations/{BROKERED}",
                       {"type": "artifactory-cr", "broker": {"enabled": False}, "credentials": {}},
                       {"Content-Type": "application/json"})
    assert switched.status == 200 and switched.json == {"id": BROKERED}
    assert box.ask("GET", integrations(integration=BROKERED)).json["data"]["attributes"]["has_broker"] is False
    assert box.ask("DELETE", integrations(integration=BROKERED)).status == 204


def test_made_through_v1_has_no_name(box):
    assert box.ask("GET", integrations(integration=FROM_V1)).json["data"]["attributes"]["profile_name"] is None


def test_conflicts(box):
    taken = box.ask("POST", integrations(), create_body("payments-prod"))
    assert taken.status == 409 and taken.pointers == ["/data/attributes/profile_name"]
    assert taken.json["errors"][0]["status"] == "409"
    assert box.ask("PATCH", integrations(integration=DOCKER), update_body(profile_name="payments-prod")).status == 409
    assert box.ask("PATCH", integrations(integration=ECR), update_body(profile_name="payments-prod")).status == 200
    assert box.ask("POST", integrations(RESEARCH), create_body("payments-prod")).status == 201


# --- Refusals

@pytest.mark.parametrize("version, status", [
    (None, 400), ("", 400), ("2024-10-15", 200), ("2026-03-25", 200), ("2024-10-14", 404), ("2021-06-04", 404),
    ("2024-10-15~beta", 404), ("2024-10-15~work-in-progress", 404), ("beta", 404), ("wip", 404), ("ga", 400),
    ("2024-10-15~ga", 400), ("2024-13-01", 400), ("2024-00-10", 400), ("2024-10-15%0A", 400), ("2024-1-15", 400),
    ("2024-10-15T", 400), ("x", 400),
])
def test_versions(box, version, status):
    query = "" if version is None else f"?version={version}"
    answer = box.ask("GET", f"/rest/orgs/{PAYMENTS}/integrations{query}")
    assert answer.status == status
    if status >= 400:
        assert answer.json["errors"][0]["source"] == {"parameter": "version"}


@pytest.mark.parametrize("value, status", [
    (None, 401), ("", 401), ("token", 401), ("Basic eDp5", 401), ("token x", 200), ("Token x", 200), ("BEARER x", 200),
])
def test_tokens(box, value, status):
    with contextlib.closing(box.connect()) as link:
        link.request("GET", integrations(), headers={} if value is None else {"Authorization": value})
        answer = Answer(link.getresponse())
    assert answer.status == status
    assert (answer.headers["www-authenticate"] is not None) == (status == 401)


@pytest.mark.parametrize("method, target, status", [
    ("GET", integrations(NOBODY), 404), ("POST", integrations(NOBODY), 404), ("GET", integrations("x"), 400),
    ("GET", integrations(integration=NOBODY), 404), ("PATCH", integrations(integration=NOBODY), 404),
    ("GET", integrations(RESEARCH, ECR), 404), ("GET", integrations(integration="12"), 400),
    ("GET", integrations(integration=NOBODY, rest="/settings"), 404), ("GET", f"/rest/orgs?{VERSION}", 404),
    ("GET", f"/rest/orgs/{PAYMENTS}/integrations/?{VERSION}", 400), ("PUT", integrations(), 405),
    ("DELETE", integrations(), 405), ("POST", integrations(integration=ECR), 405), ("GET", "/rest/%zz", 400),
    ("GET", integrations(PAYMENTS.replace("1", "%31")), 200), ("GET", "/", 404), ("GET", "/a/b/c/d/e/f/g/h/i", 404),
])
def test_paths(box, method, target, status):
    answer = box.ask(method, target)
    assert answer.status == status
    if status == 405:
        assert answer.headers["allow"]
    if status >= 400:
        assert answer.json["errors"][0]["status"] == str(status)
        assert set(answer.json) == {"jsonapi", "errors"}


def test_ids_in_upper_case_are_the_same(box):
    answer = box.ask("GET", integrations(integration=ECR.upper()))
    assert answer.status == 200 and answer.json["data"]["id"] == ECR


USER = {"username": "u", "password": "p"}


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/data"]),
    ({"data": 1}, ["/data"]),
    ({"data": {}}, ["/data/type", "/data/attributes"]),
    ({**create_body("a"), "x/y": 1}, ["/x~1y"]),
    (create_body(""), ["/data/attributes/profile_name"]),
    (create_body("-a"), ["/data/attributes/profile_name"]),
    (create_body("a" * 256), ["/data/attributes/profile_name"]),
    (create_body(None), ["/data/attributes/profile_name"]),
    (create_body("a", "github", USER), ["/data/attributes/integration_type"]),
    (create_body("a", "nothing", USER), ["/data/attributes/integration_type"]),
    (create_body("a", 7, USER), ["/data/attributes/integration_type"]),
    (create_body("a", "ecr", USER), [f"/data/attributes/credentials/{name}"
                                     for name in ("region", "role_arn", "username", "password")]),
    (create_body("a", "ecr", {"region": "Mars", "role_arn": "arn"}),
     ["/data/attributes/credentials/region", "/data/attributes/credentials/role_arn"]),
    (create_body("a", "acr", USER), ["/data/attributes/credentials/registry_base"]),
    (create_body("a", "acr", {**USER, "registry_base": "https://x"}), ["/data/attributes/credentials/registry_base"]),
    (create_body("a", "docker-hub", {}),
     ["/data/attributes/credentials/username", "/data/attributes/credentials/password"]),
    (create_body("a", "docker-hub", []), ["/data/attributes/credentials"]),
    (create_body("a", "digitalocean-cr", {"token": "a b"}), ["/data/attributes/credentials/token"]),
])
def test_bodies_of_create_refused(box, body, pointers):
    answer = box.ask("POST", integrations(), body)
    assert answer.status == 400
    assert sorted(answer.pointers) == sorted(pointers)
    assert len(box.state()["integrations"]) == 25


@pytest.mark.parametrize("kind, credentials", [
    ("docker-hub", USER), ("acr", {**USER, "registry_base": "my.azurecr.io"}),
    ("quay-cr", {**USER, "registry_base": "quay.io"}), ("gcr", {"password": "{}", "registry_base": "gcr.io"}),
    ("google-artifact-cr", {"password": "{}", "registry_base": "gcr.io"}), ("digitalocean-cr", {"token": "dop_v1"}),
])
def test_bodies_of_create_taken(box, kind, credentials):
    answer = box.ask("POST", integrations(), create_body("made", kind, credentials))
    assert answer.status == 201 and answer.json["data"]["attributes"]["integration_type"] == kind


@pytest.mark.parametrize("body, pointers", [
    ({"data": {"id": DOCKER}}, ["/data/id"]),
    ({"data": {"type": "org"}}, ["/data/type"]),
    (update_body(integration_type="ecr"), ["/data/attributes/integration_type"]),
    (update_body(credentials={}), ["/data/attributes/credentials"]),
    (update_body(credentials={"region": "eu-west-1", "password": "x"}), ["/data/attributes/credentials/password"]),
    (update_body(profile_name=None), ["/data/attributes/profile_name"]),
])
def test_bodies_of_update_refused(box, body, pointers):
    answer = box.ask("PATCH", integrations(integration=ECR), body)
    assert answer.status == 400 and answer.pointers == pointers
    assert box.ask("GET", integrations(integration=ECR)).json["data"]["attributes"]["updated_at"] is None


@pytest.mark.parametrize("body, kind", [
    ("", JSON_API), ("[]", JSON_API), ("{", JSON_API), ('{"data":{},"data":{}}', JSON_API), ("{}", "text/plain"),
])
def test_bodies_that_are_no_object(box, body, kind):
    assert box.ask("POST", integrations(), body, {"Content-Type": kind}).status == 400


# --- Paging

def pages(box, link, step):
    while link is not None:
        document = box.ask("GET", link).json
        yield [one["id"] for one in document["data"]]
        link = document["links"].get(step)


def test_pages_forth_and_back(box):
    everything = [one["id"] for one in box.state()["integrations"]]
    forth = list(pages(box, integrations(), "next"))
    assert [len(page) for page in forth] == [10, 10, 5]
    assert sum(forth, []) == everything
    last = box.ask("GET", integrations()).json["links"]["last"]
    back = list(pages(box, last, "prev"))
    assert sum(reversed(back), []) == everything
    first = box.ask("GET", last).json["links"]["first"]
    assert [one["id"] for one in box.ask("GET", first).json["data"]] == forth[0]


def test_links_are_relative_and_stable(box):
    links = box.ask("GET", integrations(rest="&limit=20")).json["links"]
    assert set(links) == {"self", "first", "last", "next"}
    assert all(link.startswith(f"/rest/orgs/{PAYMENTS}/integrations?{VERSION}&limit=20") for link in links.values())
    assert re.search(r"&starting_after=v1\.[A-Za-z0-9+/]+=*$", links["next"])
    assert box.ask("GET", links["next"]).json["links"]["self"] == links["next"]


def test_a_cursor_outlives_its_record(box):
    document = box.ask("GET", integrations()).json
    marked, following = document["data"][-1]["id"], box.state()["integrations"][10]["id"]
    assert box.ask("DELETE", integrations(integration=marked)).status == 204
    assert box.ask("GET", document["links"]["next"]).json["data"][0]["id"] == following


@pytest.mark.parametrize("query", [
    "limit=5", "limit=15", "limit=110", "limit=0", "limit=", "limit=ten", "limit=-10", "limit=00010",
    "starting_after=x", "starting_after=v1.", "ending_before=v1.%21%21", "ending_before=v1.eyJpZCI6IngifQo=",
    "starting_after=v1.eyJpZCI6IjEwIn0K&ending_before=v1.eyJpZCI6IjEwIn0K",
])
def test_paging_parameters_refused(box, query):
    for path in (integrations(rest="&" + query), integrations(integration=ECR, rest="/settings") + "&" + query):
        assert box.ask("GET", path).status == 400


# --- Targets and projects

def test_targets_and_projects(box):
    path = f"/rest/orgs/{PAYMENTS}/targets"
    full = box.ask("GET", f"{path}?{VERSION}&limit=100&source_types=ecr").json["data"]
    every = box.ask("GET", f"{path}?{VERSION}&limit=100&source_types=ecr&exclude_empty=false").json["data"]
    assert len(full) == 4 and len(every) == 6
    both = box.ask("GET", f"{path}?{VERSION}&limit=100&source_types=ecr,github").json["data"]
    assert len(both) == 6
    target = full[0]["id"]
    projects = f"/rest/orgs/{PAYMENTS}/projects"
    found = box.ask("GET", f"{projects}?{VERSION}&target_id={target}&limit=100").json["data"]
    assert [one["relationships"]["target"]["data"]["id"] for one in found] == [target, target]
    count = box.ask("GET", f"{projects}?{VERSION}&target_id={target}&meta_count=only").json
    assert count["meta"] == {"count": 2} and count["data"] == []
    for one in found:
        assert box.ask("DELETE", f"{projects}/{one['id']}?{VERSION}").status == 204
    assert len(box.ask("GET", f"{path}?{VERSION}&limit=100&source_types=ecr").json["data"]) == 3
    assert box.ask("DELETE", f"{path}/{target}?{VERSION}").status == 204
    assert box.ask("GET", f"{path}/{target}?{VERSION}").status == 404


# --- The ledger

def test_ledger_line(box):
    body = '{"data": "\\u00e9\u00e9"}'
    box.raw(f"POST /rest/x?y=%20 HTTP/1.1\r\nHost: h\r\nX-Two: 1 \r\nx-two:\t2\r\nConnection: close\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode())
    line = box.ledger_file.read_text()
    assert line == json.dumps({
        "seq": 1, "connection": 1, "method": "POST", "target": "/rest/x?y=%20",
        "headers": [["host", "h"], ["x-two", "1"], ["x-two", "2"], ["connection", "close"],
                    ["content-length", str(len(body.encode()))]],
        "body": body}, separators=(",", ":"), ensure_ascii=False) + "\n"


def test_ledger_is_written_before_the_answer_and_private(box):
    for number in range(1, 51):
        box.ask("GET", integrations(integration=ECR))
        assert box.ledger()[-1]["seq"] == number
    assert box.ledger_file.stat().st_mode & 0o777 == 0o600


def test_ledger_leaves_control_out_and_takes_faulted_in(box):
    box.fault({"close": "before"}, method="GET")
    assert box.raw(f"GET {integrations()} HTTP/1.1\r\nHost: h\r\n\r\n".encode()) == b""
    box.ask("GET", "/_sandbox/state")
    assert [line["target"] for line in box.ledger()] == [integrations()]


def test_ledger_replaces_what_is_no_text(box):
    box.raw(b"POST / HTTP/1.1\r\nHost: h\r\nX: \xff\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\xfe\x00")
    line = box.ledger()[0]
    assert ["x", "\ufffd"] in line["headers"] and line["body"] == "\ufffd\x00"


def test_ledger_takes_in_what_breaks_off(box):
    assert b" 400 " in box.raw(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", half_close=True)
    assert b" 400 " in box.raw(b"DELETE /y HTTP/1.1\r\nHo", half_close=True)
    assert [(line["method"], line["target"], line["body"]) for line in box.ledger()] == [
        ("POST", "/x", "abc"), ("DELETE", "/y", "")]


# --- Framing

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET / HTTP/1.1\r\nHost: h\n\r\n", 400), (b"GET / HTTP/1.1\nHost: h\r\n\r\n", 400),
    (HEAD + b"A : b\r\n\r\n", 400), (HEAD + b" fold\r\n\r\n", 400), (HEAD + b"none\r\n\r\n", 400),
    (HEAD + b": b\r\n\r\n", 400), (HEAD + b"A: \x00\r\n\r\n", 400), (HEAD + b"A: b\rc\r\n\r\n", 400),
    (HEAD + b"Host: i\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400), (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /\r\nHost: h\r\n\r\n", 400), (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505),
    (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505), (b"GET / http/1.1\r\nHost: h\r\n\r\n", 400),
    (b"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400), (b"GET HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400), (HEAD + b"Content-Length: +1\r\n\r\n", 400),
    (HEAD + b"Content-Length: \r\n\r\n", 400), (HEAD + b"Content-Length: 1, 1\r\n\r\n", 400),
    (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 400), (HEAD + b"Content-Length: 99999999999\r\n\r\n", 413),
    (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501), (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 400),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n", 400),
    (HEAD + b"A: b\r\n" * 200 + b"\r\n", 431), (HEAD + b"A: " + b"b" * 70000 + b"\r\n\r\n", 431),
])
def test_malformed_requests(box, request_bytes, status):
    # The request that follows must not be taken for one: the connection ends with the refusal.
    answer = box.raw(request_bytes + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(re.findall(rb"HTTP/1\.1 [0-9]{3} ", answer)) == 1
    assert len(box.ledger()) == 1
    assert "smuggled" not in box.ledger()[0]["target"]


def test_malformed_requests_are_recorded_as_far_as_read(box):
    box.raw(b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n")
    box.raw(b"GET /c HTTP/1.1\r\nHost: h\r\nX : y\r\nZ: 1\r\n\r\n")
    first, second = box.ledger()
    assert (first["method"], first["target"], first["headers"]) == ("GET", "/a b", [])
    assert (second["target"], second["headers"]) == ("/c", [["host", "h"], ["x ", "y"]])


def test_chunked_request(box):
    answer = box.raw(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
                     b"3;note=x\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n")
    assert b" 404 " in answer
    assert box.ledger()[0]["body"] == "abc0123456789"


def test_pipelined_requests_are_answered_in_order(box):
    box.fault({"delay_ms": 50}, path_prefix="/1")
    data = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(1, 20))
    answer = box.raw(data + b"POST /20 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
    assert answer.count(b"HTTP/1.1 404 ") == 20
    assert [line["target"] for line in box.ledger()] == [f"/{number}" for number in range(1, 21)]
    assert {line["connection"] for line in box.ledger()} == {2}


def test_requests_byte_by_byte(box):
    with socket.create_connection(box.address, DEADLINE) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\nPOST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc":
            link.send(bytes([byte]))
        assert b" 404 " in read_all(link)
    assert box.ledger()[0]["body"] == "abc"


def test_http_1_0(box):
    assert b"connection: close" in box.raw(b"GET / HTTP/1.0\r\n\r\n")
    answer = box.raw(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"HTTP/1.1 404") == 2 and b"connection: keep-alive" in answer


def test_keep_alive_and_head(box):
    with contextlib.closing(box.connect()) as link:
        got = box.ask("GET", integrations(integration=ECR), connection=link)
        head = box.ask("HEAD", integrations(integration=ECR), connection=link)
        assert head.status == 200 and head.body == b""
        assert head.headers["content-length"] == got.headers["content-length"]
        box.ask("GET", integrations(integration=ECR), connection=link)
    assert len({line["connection"] for line in box.ledger()}) == 1


def test_continue(box):
    with socket.create_connection(box.address, DEADLINE) as link:
        link.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\n"
                     b"Content-Length: 2\r\n\r\n")
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"hi")
        assert b"HTTP/1.1 404 " in read_all(link)


def test_a_large_body_is_read_whole(box):
    body = "x" * 5_000_000
    assert box.ask("POST", integrations(), body).status == 400
    assert box.ledger()[0]["body"] == body


# --- Faults

GET_ECR = f"GET {integrations(integration=ECR)} HTTP/1.1\r\nHost: gate.example\r\nAuthorization: token x\r\n".encode()
ONCE = GET_ECR + b"Connection: close\r\n\r\n"


def split(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def test_fault_delay(box):
    box.fault({"delay_ms": 200, "status": 503, "headers": {"Retry-After": "7"}})
    begun = time.monotonic()
    answer = box.ask("GET", integrations())
    assert time.monotonic() - begun >= 0.2
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert answer.json["errors"][0]["status"] == "503"


@pytest.mark.parametrize("fault, done", [
    ({"close": "before"}, False), ({"close": "before", "effect": True}, True),
    ({"close": "after-read"}, True), ({"close": "after-read", "effect": False}, False),
    ({"close": "before", "delay_ms": 20}, False),
])
def test_fault_close_without_an_answer(box, fault, done):
    box.fault(fault, method="DELETE")
    with pytest.raises(http.client.RemoteDisconnected):
        box.ask("DELETE", integrations(integration=ECR))
    assert (box.ask("GET", integrations(integration=ECR)).status == 404) == done
    assert box.ledger()[0]["method"] == "DELETE"


def test_fault_close_in_the_middle(box):
    whole = box.raw(ONCE)
    box.fault({"close": "middle"})
    assert len(box.raw(ONCE)) == len(whole) // 2


@pytest.mark.parametrize("effect", [None, True])
def test_fault_reset(box, effect):
    box.fault({"reset": True} if effect is None else {"reset": True, "effect": effect}, method="DELETE")
    with pytest.raises(ConnectionResetError):
        box.ask("DELETE", integrations(integration=ECR))
    assert (box.ask("GET", integrations(integration=ECR)).status == 404) == bool(effect)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_fault_status_does_nothing_by_default(box, status):
    box.fault({"status": status})
    assert box.ask("DELETE", integrations(integration=ECR)).status == status
    box.fault({"status": status, "effect": True})
    assert box.ask("DELETE", integrations(integration=ECR)).status == status
    assert box.ask("DELETE", integrations(integration=ECR)).status == 404


def test_fault_truncate(box):
    whole = split(box.raw(ONCE))[1]
    box.fault({"truncate": 5})
    head, body = split(box.raw(GET_ECR + b"\r\n"))
    assert body == whole and b"content-length: %d\r\n" % (len(whole) + 5) in head + b"\r\n"
    box.fault({"truncate": 1, "chunked": True})
    assert not box.raw(GET_ECR + b"\r\n").endswith(b"0\r\n\r\n")


def test_fault_oversize(box):
    whole = box.ask("GET", integrations(integration=ECR))
    box.fault({"oversize": 3_000_000})
    answer = box.ask("GET", integrations(integration=ECR))
    assert len(answer.body) == 3_000_000 and answer.json == whole.json


def test_fault_chunked(box):
    whole = box.ask("GET", integrations(integration=ECR))
    box.fault({"chunked": True, "trailers": {"X-Sum": "1"}})
    head, body = split(box.raw(ONCE))
    assert b"transfer-encoding: chunked" in head and b"content-length" not in head
    assert body.endswith(b"0\r\nX-Sum: 1\r\n\r\n") and len(re.findall(rb"^[0-9a-f]+\r$", body, re.M)) >= 4
    box.fault({"chunked": True})
    assert box.ask("GET", integrations(integration=ECR)).json == whole.json


def test_fault_until_close(box):
    box.fault({"until_close": True})
    head, body = split(box.raw(GET_ECR + b"\r\n"))
    assert b"content-length" not in head and json.loads(body)["data"]["id"] == ECR


@pytest.mark.parametrize("value, base", [(True, "http://gate.example"), ("https://api.example:1", "https://api.example:1")])
def test_fault_absolute_links(box, value, base):
    box.fault({"absolute_links": value}, count=3)
    headers = {"Host": "gate.example"}
    listed = box.ask("GET", integrations(), headers=headers).json["links"]
    assert all(link.startswith(base + "/rest/orgs/") for link in listed.values())
    got = box.ask("GET", integrations(integration=ECR), headers=headers).json["links"]
    assert got == {"self": base + integrations(integration=ECR)}
    made = box.ask("POST", integrations(), create_body("a"), headers)
    assert made.headers["location"].startswith(base + "/rest/orgs/")


def test_fault_surplus_raw_and_interim(box):
    box.fault({"surplus": "HTTP/1.1 200 OK\r\n\r\n"})
    assert box.raw(ONCE).endswith(b"}HTTP/1.1 200 OK\r\n\r\n")
    box.fault({"raw": "HTTP/1.1 200abc\r\nA: \u0000\r\n\r\n", "until_close": True})
    assert box.raw(GET_ECR + b"\r\n") == b"HTTP/1.1 200abc\r\nA: \0\r\n\r\n"
    box.fault({"interim": 103, "delay_ms": 20})
    answer = box.raw(ONCE)
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_fault_drip(box):
    box.fault({"drip_ms": 2, "raw": "HTTP/1.1 204 No Content\r\n\r\n"})
    begun = time.monotonic()
    assert box.raw(ONCE) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert time.monotonic() - begun >= 0.05


def test_fault_headers_and_body(box):
    box.fault({"headers": {"Sunset": "2030-01-01", "Content-Length": "7"}})
    assert split(box.raw(ONCE))[0].count(b"ontent-") == 3
    box.fault({"content_type": "text/html", "body": "<b>", "encoding": "gzip"})
    head, body = split(box.raw(ONCE))
    assert b"content-type: text/html\r\n" in head and b"content-encoding: gzip\r\n" in head and body == b"<b>"
    box.fault({"status": 302, "headers": {"Location": "http://x/"}})
    assert box.ask("GET", integrations()).status == 302


@pytest.mark.parametrize("extra", [{}, {"chunked": True}, {"until_close": True}])
def test_fault_large_body(box, extra):
    box.fault({"large_body": 20_000_000, **extra})
    answer = box.ask("GET", integrations())
    assert len(answer.body) == 20_000_000 and answer.headers["content-type"] == "text/plain"


def test_large_body_waits_for_the_client(box):
    box.fault({"large_body": 1 << 35})
    with socket.create_connection(box.address, DEADLINE) as link:
        link.sendall(ONCE)
        assert link.recv(10)
        assert box.ask("GET", integrations()).status == 200
    status = pathlib.Path(f"/proc/{box.process.pid}/status").read_text()
    assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 400_000


def test_fault_match_and_count(box):
    box.fault({"status": 500}, method="GET", path_prefix=f"/rest/orgs/{RESEARCH}", count=2)
    box.fault({"status": 502}, header={"x-mark": "1"}, count=0)
    assert box.ask("GET", integrations()).status == 200
    assert [box.ask("GET", integrations(RESEARCH)).status for _ in range(3)] == [500, 500, 200]
    assert [box.ask("GET", integrations(), headers={"X-Mark": "1"}).status for _ in range(3)] == [502] * 3
    assert box.ask("GET", integrations(), headers={"X-Mark": "2"}).status == 200
    assert box.ask("GET", "/_sandbox/faults").json["faults"] == [
        {"id": 2, "match": {"header": {"x-mark": "1"}}, "fault": {"status": 502}, "count": 0}]
    assert box.ask("DELETE", "/_sandbox/faults/7").status == 404
    assert box.ask("DELETE", "/_sandbox/faults/2").status == 204
    box.fault({"status": 500})
    assert box.ask("DELETE", "/_sandbox/faults").status == 204
    assert box.ask("GET", "/_sandbox/faults").json == {"faults": []}
    assert box.ask("GET", integrations()).status == 200


@pytest.mark.parametrize("rule, named", [
    ({"fault": {"delaz_ms": 1}}, "delaz_ms"), ({"fault": {"status": 500}, "match": {"metod": "GET"}}, "metod"),
    ({"fault": {"status": 500}, "time": 1}, "time"), ({}, "object"), ({"fault": {}}, "object"),
    ({"fault": {"status": 99}}, "status"), ({"fault": {"status": "500"}}, "status"),
    ({"fault": {"reset": False}}, "reset"), ({"fault": {"close": "now"}}, "close"),
    ({"fault": {"headers": {"a": 1}}}, "headers"), ({"fault": {"headers": {"a": "b\r\nc: d"}}}, "headers"),
    ({"fault": {"chunked": True, "until_close": True}}, "until_close"), ({"fault": {"trailers": {}}}, "chunked"),
    ({"fault": {"effect": True}}, "effect"), ({"fault": {"raw": "x", "status": 500}}, "raw"),
    ({"fault": {"close": "before", "status": 500}}, "close"), ({"fault": {"status": 500}, "count": -1}, "count"),
    ({"fault": {"status": 500}, "match": {"header": {"X-A": "b"}}}, "lower case"), ([], "object"),
])
def test_faults_refused(box, rule, named):
    answer = box.ask("POST", "/_sandbox/faults", rule)
    assert answer.status == 400 and named in answer.json["errors"][0]["detail"]
    assert box.ask("GET", "/_sandbox/faults").json == {"faults": []}


# --- State, fixtures, TLS and the command line

def test_reset(box):
    before = box.state()
    box.ask("DELETE", integrations(integration=ECR))
    assert box.state() != before
    assert box.ask("POST", "/_sandbox/reset").status == 204
    assert box.state() == before


def test_state_is_a_fixtures_file(box, tmp_path):
    state = box.ask("GET", "/_sandbox/state").json
    other = tmp_path / "other"
    other.mkdir()
    with running(other, fixtures=state) as second:
        assert second.ask("GET", "/_sandbox/state").json == state
        second.ask("DELETE", integrations(integration=ECR))
        second.ask("POST", "/_sandbox/reset")
        assert second.ask("GET", "/_sandbox/state").json == state


FIXTURE = {"organizations": {NOBODY: {
    "integrations": [{"id": ECR, "integration_type": "ecr", "profile_name": "one", "has_broker": False}],
    "targets": [{"id": DOCKER, "integration_id": ECR, "display_name": "t"}],
    "projects": [{"id": GITHUB, "target_id": DOCKER}]}}}


def test_fixtures(tmp_path):
    with running(tmp_path, fixtures=FIXTURE) as box:
        assert box.ask("GET", integrations(NOBODY, ECR)).json["data"]["attributes"]["profile_name"] == "one"
        assert box.ask("GET", integrations()).status == 404
        state = box.state(NOBODY)
        assert state["targets"][0]["source_type"] == "ecr" and state["projects"][0]["target_id"] == DOCKER


@pytest.mark.parametrize("fixtures, message", [
    ("{", "line 1"), ("[]", "object"), ({"organisations": {}}, "organisations"),
    ({"organizations": {"x": {}}}, "UUID"), ({"organizations": {NOBODY: {"integration": []}}}, "integration"),
    ({"organizations": {NOBODY: {"integrations": [{"id": ECR}]}}}, "integration_type"),
    ({"organizations": {NOBODY: {"integrations": [{"id": ECR, "integration_type": "ecx"}]}}}, "integrations/0"),
    ({"organizations": {NOBODY: {"targets": [{"id": ECR, "integration_id": ECR}]}}}, "integration_id"),
    ({"organizations": {NOBODY: {"projects": [{"id": ECR}]}}}, "target_id"),
])
def test_fixtures_refused(tmp_path, fixtures, message):
    sandbox = Sandbox(tmp_path, fixtures=fixtures)
    run = subprocess.run(sandbox.arguments, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert run.returncode == 1 and message in run.stderr
    assert not sandbox.port_file.exists()


def test_says_what_it_is(box):
    assert re.fullmatch(r"portcullis-sandbox: a stand-in for trying out and testing, not the real API; "
                        r"it listens on http://127\.0\.0\.1:\d+\n", box.errors.read_text())


def test_command_line():
    def run(*arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False)

    help_text = run("--help")
    assert help_text.returncode == 0 and "absolute_links" in help_text.stdout and "not the real API" in help_text.stdout
    assert re.fullmatch(r"portcullis-sandbox \S+\n", run("--version").stdout)
    for wrong in (["--nothing"], ["more"], ["--tls-cert", "x"], ["--listen"]):
        assert run(*wrong).returncode == 2
    for wrong in (["--listen", "localhost"], ["--listen", "127.0.0.1:70000"], ["--listen", "127.0.0.1:"],
                  ["--fixtures", "/nonexistent"], ["--ledger", "/nonexistent/x"],
                  ["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"]):
        assert run(*wrong).returncode == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
                   check=True, capture_output=True)
    return directory


@contextlib.contextmanager
def tls_link(box, certificate):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    with socket.create_connection(box.address, DEADLINE) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as link:
            yield link


def test_tls(tmp_path, certificate):
    arguments = ["--tls-cert", str(certificate / "cert.pem"), "--tls-key", str(certificate / "key.pem")]
    with running(tmp_path, *arguments) as box:
        def fault(fault_json):
            rule = json.dumps({"fault": fault_json}).encode()
            with tls_link(box, certificate) as link:
                link.sendall(b"POST /_sandbox/faults HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(rule), rule))
                assert b" 201 " in read_all(link)

        with tls_link(box, certificate) as link:
            link.sendall(GET_ECR + b"\r\n" + ONCE)
            # It ends with a close_notify: with a ragged end, reading would raise.
            assert read_all(link).count(b"HTTP/1.1 200 OK") == 2
        fault({"absolute_links": True})
        with tls_link(box, certificate) as link:
            link.sendall(ONCE)
            assert b'"https://gate.example/rest/' in read_all(link)
        fault({"close": "middle"})
        with tls_link(box, certificate) as link:
            link.sendall(ONCE)
            with pytest.raises(ssl.SSLError, match="(?i)eof"):
                read_all(link)
        fault({"large_body": 5_000_000, "until_close": True})
        with tls_link(box, certificate) as link:
            link.sendall(ONCE)
            assert len(split(read_all(link))[1]) == 5_000_000
        with socket.create_connection(box.address, DEADLINE) as link:
            link.sendall(ONCE)
            with contextlib.suppress(ConnectionResetError):
                read_all(link)
        assert [line["target"] for line in box.ledger()] == [integrations(integration=ECR)] * 5


def test_many_connections_at_once(box):
    links = [box.connect() for _ in range(200)]
    for link in links:
        link.request("GET", integrations(), headers={"Authorization": "token x"})
    assert {link.getresponse().status for link in links} == {200}
    for link in links:
        link.close()
    assert sorted(line["seq"] for line in box.ledger()) == list(range(1, 201))
