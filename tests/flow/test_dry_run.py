"""Portcullis-Dry-Run: the whole judgement of a change, and not the change."""

import copy

import pytest

import world
from checks import access_line, assert_error, records_of
from world import BROKERED, CREATE, DELETE, ECR, INTEGRATIONS, PAYMENTS, SECRET_PASSWORD, TOKENS, UPDATE, VERSION

TRY = {"Portcullis-Dry-Run": "?1"}
FAR_SEEING = "editor"  # may read projects, too


@pytest.fixture
def policy():
    policy = world.policy()
    for grant in policy["organizations"][PAYMENTS]["grants"]:
        if grant["principal"] == FAR_SEEING:
            grant["permissions"] = ["org.project.read"]
    return policy


@pytest.fixture
def gate(make_gate, sandbox, policy):
    return make_gate(sandbox, policy=policy)


def attempt(gate, operation, token=None, **headers):
    """A dry run, and its `meta`."""
    got = gate.request(operation.method, operation.target, token or operation.token, body=operation.body, headers={**TRY, **headers})
    assert got.status == 200, got
    document = got.json()
    assert set(document) == {"jsonapi", "meta"} and document["meta"]["dry_run"] is True
    assert got.field("cache-control") == "no-store"
    return document["meta"]


def assert_nothing_done(gate, sandbox, meta, status=200, code=None):
    """Nothing but reads was sent, nothing intended; one record says what would have been."""
    assert all(line["method"] == "GET" for line in sandbox.ledger(asked=True))
    [record] = records_of(gate, meta["request_id"], ["dry-run"])
    assert (record["status"], record.get("detail")) == (status, code)
    assert meta["decision"].get("code") == code
    asked = len([line for line in sandbox.ledger(asked=True) if ["x-request-id", meta["request_id"]] in line["headers"]])
    line = access_line(gate, meta["request_id"])
    assert (line["status"], line["dry_run"], line.get("code"), line.get("asked", 0)) == (200, True, code, asked)
    return record


def test_a_delete(gate, sandbox):
    meta = attempt(gate, DELETE, TOKENS[FAR_SEEING])
    assert meta["decision"]["verdict"] == "pass" and meta["decision"]["obligations"] == ["journal"]
    assert meta["pre_image"]["integration"]["attributes"]["profile_name"] == "images"
    assert (meta["radius"]["known"], meta["radius"]["targets"], meta["radius"]["projects"]) == (True, 1, 1)
    assert meta["request"] == {"method": "DELETE", "target": DELETE.target, "credential": "own"}
    record = assert_nothing_done(gate, sandbox, meta)
    assert record["before"] == meta["pre_image"] and record["radius"] == meta["radius"]
    assert len(sandbox.ledger(asked=True)) == 4
    assert gate.request("GET", world.READ.target, TOKENS[FAR_SEEING]).status == 200  # it is still there


@pytest.mark.parametrize("operation", [CREATE, UPDATE, world.BY_ID["updateIntegrationSettings"]], ids=str)
def test_other_changes(gate, sandbox, operation):
    meta = attempt(gate, operation, TOKENS[FAR_SEEING])
    assert meta["decision"]["verdict"] == "pass"
    assert ("pre_image" in meta) == (operation is not CREATE) and "radius" not in meta
    assert meta["request"]["method"] == operation.method and meta["request"]["target"] == operation.target
    attributes = copy.deepcopy(operation.body["data"]["attributes"])
    shown = meta["request"]["body"]["data"]["attributes"]
    if operation is CREATE:
        assert SECRET_PASSWORD not in str(meta)
        assert shown.pop("credentials")["password"].startswith("hmac-sha256:")
        del attributes["credentials"]
    assert shown == attributes
    assert_nothing_done(gate, sandbox, meta)


def test_who_is_shown_what(gate, sandbox):
    """Reading is needed to be shown what was read, and reading projects to be shown what hangs on it."""
    shown = {name: {"pre_image", "radius"} & set(attempt(gate, DELETE, TOKENS[name])) for name in (FAR_SEEING, "deleter", "unreader")}
    assert shown == {FAR_SEEING: {"pre_image", "radius"}, "deleter": {"pre_image"}, "unreader": set()}


@pytest.mark.parametrize("token, target, headers, status, code, reads", [
    ("viewer", DELETE.target, {}, 403, "forbidden", 0),
    ("deleter", DELETE.target.replace(ECR, BROKERED), {}, 409, "brokered", 1),
    ("deleter", DELETE.target.replace(ECR, world.ABSENT), {}, 404, "no-such-integration", 1),
    ("deleter", DELETE.target, {"If-Match": '"another"'}, 412, "precondition-failed", 4),
    ("deleter", DELETE.target, {"If-Match": "another"}, 400, "malformed-field", 0),
    ("deleter", DELETE.target.replace(VERSION, "2020-01-01"), {}, 400, "version", 0),
])
def test_what_would_be_refused(gate, sandbox, token, target, headers, status, code, reads):
    got = gate.request("DELETE", target, TOKENS[token], headers={**TRY, **headers})
    assert got.status == 200, got
    meta = got.json()["meta"]
    assert (meta["decision"]["verdict"], meta["decision"]["status"]) == ("refuse", status) and meta["decision"]["detail"]
    assert "request" not in meta
    assert_nothing_done(gate, sandbox, meta, status, f"portcullis-{code}")
    assert len(sandbox.ledger(asked=True)) == reads


def test_what_rules_say(make_gate, sandbox, policy):
    """What would be asked for and used up is told, and neither asked for nor used up."""
    about = {"reason": "Because.", "operations": ["deleteIntegration"]}
    policy["rules"] = [
        {"id": "two", **about, "require": {"approval": {"people": 2, "seconds": 3600}}},
        {"id": "few", **about, "budget": {"requests": 1, "seconds": 3600, "each": "gate"}},
        {"id": "why", **about, "require": {"reason": "^OPS-[0-9]+"}},
    ]
    gate = make_gate(sandbox, policy=policy)
    for _ in range(3):
        meta = attempt(gate, DELETE, **{"Portcullis-Reason": "OPS-1: gone"})
        assert meta["decision"]["obligations"] == ["journal", "approval:two", "budget:few"]
        assert_nothing_done(gate, sandbox, meta)
    decision = attempt(gate, DELETE)["decision"]
    assert (decision["code"], decision["rule"], decision["reason"]) == ("portcullis-reason-required", "why", "Because.")


def test_an_api_that_fails(gate, sandbox):
    sandbox.fault({"status": 500}, match={"method": "GET"}, count=0)
    meta = attempt(gate, DELETE, TOKENS[FAR_SEEING])
    assert meta["decision"]["status"] == 502
    assert_nothing_done(gate, sandbox, meta, 502, "portcullis-pre-image-unavailable")


def test_what_is_no_request(gate, sandbox):
    assert_error(gate.request("DELETE", DELETE.target, "stranger", headers=TRY), 401, "unauthenticated")
    assert_error(gate.request("DELETE", "/rest/elsewhere", DELETE.token, headers=TRY), 404, "no-such-operation")
    for value in ("1", "true", "?0", "?1;x", "", "?1, ?1"):
        assert_error(gate.request("DELETE", DELETE.target, DELETE.token, headers={"Portcullis-Dry-Run": value}), 400, "malformed-field")
    assert_error(gate.request("DELETE", DELETE.target, DELETE.token, headers={"Portcullis-Dryrun": "?1"}), 400, "malformed-field")
    assert sandbox.ledger(asked=True) == []


def test_again_and_again_and_then_in_earnest(gate, sandbox):
    """Nothing is used up, and the last one is the only one that counts."""
    for _ in range(6):
        assert attempt(gate, DELETE)["decision"]["verdict"] == "pass"
    assert gate.request("DELETE", f"{INTEGRATIONS}/{ECR}?version={VERSION}", DELETE.token).status == 204
    assert [line["method"] for line in sandbox.ledger()] == ["DELETE"]
