"""All seven operations pass, and client, ledger, journal and access log agree on what happened."""

import json
import subprocess

import pytest

from checks import access_line, assert_sequence, fields_of, records_of
from processes import PATIENCE
from world import CREATE, ECR, INTEGRATIONS, OPERATIONS, PAYMENTS, SECRET_PASSWORD, TOKENS, UPDATE, VERSION


def assert_recorded(gate, sandbox, operation):
    """One exchange of the operation went all the way: ledger, access log, and journal for mutations."""
    [seen] = sandbox.ledger()
    assert (seen["method"], seen["target"]) == (operation.method, operation.target)
    [identity] = fields_of(seen, "x-request-id")
    line = access_line(gate, identity)
    assert line["status"] == operation.status
    assert line["operation"] == operation.id
    records = records_of(gate, identity, ["intent", "outcome"] if operation.mutation else [])
    for record in records:
        assert record["operation"] == operation.id
        assert record["organization"] == PAYMENTS
        assert TOKENS[record["principal"]] == operation.token
    if operation.mutation:
        intent, outcome = records
        assert outcome["status"] == operation.status
        assert intent["version"] == VERSION
        assert intent.get("resource") == operation.resource
        assert intent["seq"] < outcome["seq"] and intent["time"] <= outcome["time"]
        assert_sequence(gate.journal())
    return seen


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_passes(gate, sandbox, operation):
    answer = gate.request(operation.method, operation.target, operation.token, body=operation.body)
    assert answer.status == operation.status, answer
    if operation.status == 204:
        assert answer.body == b""
    else:
        assert answer.field("Content-Type") == "application/vnd.api+json"
        assert "data" in answer.json()
    assert answer.field("snyk-version-served"), answer
    seen = assert_recorded(gate, sandbox, operation)
    assert fields_of(seen, "authorization") == [f"Token {operation.token}"]
    assert (fields_of(seen, "content-type") == ["application/vnd.api+json"]) == (operation.body is not None)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_passes_with_curl(gate, sandbox, operation):
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", operation.method, "-H", f"Authorization: token {operation.token}"]
    if operation.body is not None:
        command += ["-H", "Content-Type: application/vnd.api+json", "--data-binary", json.dumps(operation.body)]
    done = subprocess.run([*command, gate.url + operation.target], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, str(operation.status)), done
    assert_recorded(gate, sandbox, operation)


def test_effects_last(gate):
    """What a mutation did, a read shows; a second create of the same name is the upstream's 409, passed on."""
    assert gate.request("PATCH", UPDATE.target, TOKENS["editor"], body=UPDATE.body).status == 200
    shown = gate.request("GET", UPDATE.target, TOKENS["viewer"])
    assert shown.json()["data"]["attributes"]["profile_name"] == "renamed"
    assert gate.request("POST", CREATE.target, TOKENS["editor"], body=CREATE.body).status == 201
    again = gate.request("POST", CREATE.target, TOKENS["editor"], body=CREATE.body)
    assert again.status == 409, again
    assert not again.json()["errors"][0].get("code", "").startswith("portcullis"), again
    assert gate.request("DELETE", UPDATE.target, TOKENS["deleter"]).status == 204
    assert gate.request("GET", UPDATE.target, TOKENS["viewer"]).status == 404
    outcomes = [record["status"] for record in gate.exchanges("outcome")]
    assert outcomes == [200, 201, 409, 204]


def test_grant_for_every_organization(gate):
    """A grant under "*" holds in an organisation that is listed and in one that is not."""
    unlisted = "99999999-9999-4999-8999-999999999999"
    assert gate.request("GET", f"{INTEGRATIONS}?version={VERSION}", TOKENS["everywhere"]).status == 200
    answer = gate.request("GET", f"/rest/orgs/{unlisted}/integrations?version={VERSION}", TOKENS["everywhere"])
    assert answer.status == 404 and "portcullis" not in answer.body.decode(), answer  # the upstream's own


@pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN", "Bearer", "bearer"])
def test_schemes(pair, scheme):
    gate, _ = pair
    answer = gate.request("GET", f"{INTEGRATIONS}/{ECR}?version={VERSION}", headers={"Authorization": f"{scheme} {TOKENS['viewer']}"})
    assert answer.status == 200, answer


@pytest.mark.parametrize("header", ["Snyk-Version", "X-Snyk-Version"])
def test_version_by_header(gate, sandbox, header):
    """The version may come in a header; the query form is what is forwarded, the header is not."""
    answer = gate.request("GET", INTEGRATIONS, TOKENS["viewer"], headers={header: VERSION})
    assert answer.status == 200, answer
    answer = gate.request("GET", f"{INTEGRATIONS}?version={VERSION}", TOKENS["viewer"], headers={header: VERSION})
    assert answer.status == 200, answer
    for seen in sandbox.ledger():
        assert seen["target"] == f"{INTEGRATIONS}?version={VERSION}"
        assert fields_of(seen, header) == []


def test_paging_through_the_gate(gate):
    """Following links.next from the gate stays at the gate and sees every integration once."""
    seen, target = [], f"{INTEGRATIONS}?version={VERSION}&limit=10"
    for _ in range(10):
        page = gate.request("GET", target, TOKENS["viewer"])
        assert page.status == 200, page
        seen += [item["id"] for item in page.json()["data"]]
        link = (page.json().get("links") or {}).get("next")
        link = link["href"] if isinstance(link, dict) else link
        if not link:
            break
        target = link.removeprefix(gate.url)
        if not target.startswith("/rest"):
            target = "/rest" + target
    assert len(seen) == len(set(seen)) == 29


def test_credentials_are_masked_in_the_journal(gate):
    assert gate.request("POST", CREATE.target, TOKENS["editor"], body=CREATE.body).status == 201
    [intent] = gate.exchanges("intent")
    credentials = intent["body"]["data"]["attributes"]["credentials"]
    assert all(str(value).startswith("hmac-sha256:") for value in ([credentials] if isinstance(credentials, str) else credentials.values()))
    assert SECRET_PASSWORD not in str(gate.journal())
