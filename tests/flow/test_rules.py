"""Rules of the policy, from the request to the ledger: what a rule refuses never reaches the API, the client is told by which rule and why, and
journal and access log say the same."""

import pytest

import world
from checks import access_line, assert_error, records_of, request_id
from test_console import run
from world import CREATE, DELETE, ECR, READ, SEARCH, TOKENS, UPDATE, UPDATE_BODY

NAME = "/integration/attributes/profile_name"
LOCK = {"id": "locked", "reason": "This one stays.", "operations": ["deleteIntegration"], "when": [{"at": NAME, "matches": "."}], "deny": True}


def rule(**members):
    return {"id": "the-rule", "reason": "Because of the rule.", **members}


def send(gate, operation, **headers):
    return gate.request(operation.method, operation.target, operation.token, body=operation.body,
                        headers={name.replace("_", "-"): value for name, value in headers.items()})


def changes(sandbox):
    """What the sandbox was sent besides reads."""
    return [line for line in sandbox.ledger(asked=True) if line["method"] != "GET"]


def assert_ruled_out(gate, sandbox, got, status, code, name="the-rule", reason="Because of the rule."):
    """The client is told the rule, the journal has it, and no change reached the API."""
    [error] = assert_error(got, status, code)
    assert (error["meta"]["rule"], error["meta"]["reason"]) == (name, reason)
    assert name in error["detail"] and reason in error["detail"]
    [record] = records_of(gate, request_id(got), ["refused"])
    assert (record["gate"], record["rule"], record["detail"]) == ("rules", "/rules/0", f"portcullis-{code}")
    line = access_line(gate, request_id(got))
    assert (line["gate"], line["rule"], line["code"], line["verdict"]) == ("rules", "/rules/0", f"portcullis-{code}", "refuse")
    assert changes(sandbox) == []


@pytest.mark.parametrize("ruled", [
    (rule(deny=True, when=[{"at": "/client", "within": ["127.0.0.0/8"]}]), "denied"),
    (rule(deny=True, unless=[{"at": "/time", "during": [{"before": "2001-01-01T00:00:00Z"}]}]), "denied"),
    (rule(require={"break_glass": True}), "frozen"),
    (rule(require={"reason": "^OPS-[0-9]+$"}), "reason-required"),
], ids=lambda ruled: ruled[1])
def test_changes_are_ruled_out(make_gate, sandbox, ruled):
    """… all of them, for the rule names none; and reads are not."""
    gate = make_gate(sandbox, policy=world.policy(rules=[ruled[0]]))
    for operation in (UPDATE, DELETE, CREATE):
        assert_ruled_out(gate, sandbox, send(gate, operation), 403, ruled[1])
    assert sandbox.ledger(asked=True) == []
    assert send(gate, READ).status == 200


def test_a_read_is_met_by_name(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[rule(operations=["getIntegration"], deny=True)]))
    got = send(gate, READ)
    [error] = assert_error(got, 403, "denied")
    assert error["meta"]["rule"] == "the-rule"
    assert sandbox.ledger(asked=True) == []
    assert send(gate, UPDATE).status == 200


def test_a_reason_passes_and_stands_in_the_records(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[rule(require={"reason": "^OPS-[0-9]+$"})]))
    got = send(gate, UPDATE, Portcullis_Reason="OPS-17")
    assert got.status == 200
    intent, outcome = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
    assert intent["reason"] == outcome["reason"] == "OPS-17"
    [sent] = changes(sandbox)
    assert not [name for name, _ in sent["headers"] if name.lower().startswith("portcullis")]
    assert_error(send(gate, UPDATE, Portcullis_Reason="ops-17"), 403, "reason-required")
    assert len(changes(sandbox)) == 1


def test_a_lock_by_name_holds_against_delete_and_rename(make_gate, sandbox):
    """The name as it is is asked from the API, and nothing is changed there."""
    gate = make_gate(sandbox, policy=world.policy(rules=[LOCK]))
    for operation in (DELETE, UPDATE):
        assert_ruled_out(gate, sandbox, send(gate, operation), 403, "denied", "locked", "This one stays.")
    before = send(gate, READ).json()["data"]["attributes"]["profile_name"]
    same = gate.request("PATCH", UPDATE.target, UPDATE.token, body={"data": {**UPDATE_BODY["data"], "attributes": {"profile_name": before}}})
    assert same.status == 200
    assert len(changes(sandbox)) == 1


def test_what_cannot_be_looked_at_is_locked(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[{**LOCK, "when": [{"at": NAME, "matches": "^prod-"}]}]))
    sandbox.fault({"status": 500}, match={"method": "GET"}, count=20)
    for operation in (DELETE, UPDATE):
        assert send(gate, operation).status in (403, 502, 503)
    assert changes(sandbox) == []


def test_observed(make_gate, sandbox):
    """What permissions and rules would refuse goes on, and everybody is told."""
    rules = [rule(operations=["updateIntegration"], deny=True)]
    gate = make_gate(sandbox, policy=world.policy(rules=rules, enforcement="observe"), config={"admin": {"listen": "127.0.0.1:0"}})
    ruled = send(gate, UPDATE)
    assert ruled.status == 200
    intent, outcome = records_of(gate, ruled.field("portcullis-request-id"), ["intent", "outcome"])
    for record in (intent, outcome, access_line(gate, ruled.field("portcullis-request-id"))):
        assert (record["would_refuse"], record["would_rule"]) == ("portcullis-denied", "/rules/0")
    forbidden = gate.request(READ.method, READ.target, TOKENS["nobody"])
    assert forbidden.status == 200
    line = access_line(gate, forbidden.field("portcullis-request-id"))
    assert (line["would_refuse"], line["would_rule"], line["rule"], line["verdict"]) == ("portcullis-forbidden", "no-grant", "/enforcement", "pass")
    assert gate.request(READ.method, READ.target, "a-token-that-nobody-has").status == 401
    plain = send(gate, READ)
    assert "would_refuse" not in access_line(gate, plain.field("portcullis-request-id"))
    assert gate.metrics()["portcullis_would_refuse_total"] == 2
    assert "NOT ENFORCED" in gate.stderr()


def test_observed_in_one_organization(make_gate, sandbox):
    policy = world.policy(rules=[rule(deny=True)])
    policy["organizations"][SEARCH] = {**policy["organizations"].get(SEARCH, {}), "enforcement": "observe"}
    gate = make_gate(sandbox, policy=policy)
    assert_ruled_out(gate, sandbox, send(gate, UPDATE), 403, "denied")
    elsewhere = gate.request("GET", READ.target.replace(world.PAYMENTS, SEARCH).replace(ECR, world.OTHER), TOKENS["nobody"])
    assert elsewhere.status == 200
    assert access_line(gate, elsewhere.field("portcullis-request-id"))["rule"] == f"/organizations/{SEARCH}/enforcement"


def test_check_says_that_nothing_is_enforced(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(enforcement="observe"), start=False)
    done = run("check", "-c", gate.config_file)
    assert "NOT ENFORCED" in done.out + done.err
