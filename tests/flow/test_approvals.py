"""Approvals, from the request to the ledger: a change that a rule wants approved is asked for once, however often it is tried; what was seen
before is bound to it; and nothing reaches the API before enough people have agreed."""

import world
from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from test_rules import changes, rule, send
from world import CREATE, DELETE, TOKENS, UPDATE

READS = 4  # integration, settings, targets, projects


def demand(people=1, seconds=3600, **more):
    return rule(require={"approval": {"people": people, "seconds": seconds}}, **more)


def assert_waits(got, people=1, given=0):
    """Refused for want of approval; the id of the one that waits."""
    [error] = assert_error(got, 403, "approval-required")
    meta = error["meta"]
    assert (meta["rule"], meta["reason"]) == ("the-rule", "Because of the rule.")
    assert (meta["people"], meta["given"]) == (str(people), str(given)) and meta["expires"].endswith("Z")
    assert meta["approval"] in error["detail"]
    return meta["approval"]


def approvals(gate, result=None):
    return [record for record in gate.journal() if record["stage"] == "approval" and result in (None, record["result"])]


def reads(sandbox):
    return [line for line in sandbox.ledger(asked=True) if line["method"] == "GET"]


# ---- asked once ----


def test_the_first_attempt_asks_and_says_all_that_people_need(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand(people=2)]))
    got = send(gate, DELETE)
    approval = assert_waits(got, people=2)
    assert changes(sandbox) == [] and len(reads(sandbox)) == READS
    [record] = records_of(gate, request_id(got), ["approval"])  # and no second one for the refusal
    assert (record["result"], record["approval"], record["principal"]) == ("requested", approval, "deleter")
    assert (record["gate"], record["rule"], record["method"], record["target"]) == ("approval", "/rules/0", "DELETE", DELETE.target)
    assert record["before"]["integration"]["attributes"]["profile_name"] == "images" and record["before"]["settings"]
    assert (record["radius"]["targets"], record["radius"]["projects"]) == (1, 1)
    [claim] = record["claims"]
    assert (claim["claim"], claim["id"], claim["people"], claim["seconds"], claim["targets"], claim["projects"]) == ("ask", approval, 2, 3600, 1, 1)
    line = access_line(gate, request_id(got))
    assert (line["verdict"], line["gate"], line["code"], line["status"]) == ("refuse", "approval", "portcullis-approval-required", 403)
    [event] = wait_until(lambda: [line for line in gate.log() if line["event"] == "approval-requested"], what="the event")
    assert approval in event["detail"] and "deleter" in event["detail"]


def test_six_retries_leave_one_approval_and_one_set_of_reads(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]), config={"workers": 2})
    assert len({assert_waits(send(gate, DELETE)) for _ in range(6)}) == 1
    assert len(approvals(gate)) == 1 and len(reads(sandbox)) == READS and changes(sandbox) == []
    assert len([record for record in gate.journal() if record["stage"] == "refused"]) == 5


def test_a_restart_forgets_nothing(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]))
    first = assert_waits(send(gate, DELETE))
    gate.stop()
    gate.start()
    assert assert_waits(send(gate, DELETE)) == first and len(reads(sandbox)) == READS


def test_other_requests_are_other_approvals(make_gate, sandbox):
    """Another principal, operation or content is another request."""
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]))
    other = {"data": {**world.UPDATE_BODY["data"], "attributes": {"profile_name": "other"}}}
    ids = [assert_waits(send(gate, operation)) for operation in (DELETE, UPDATE, CREATE)]
    ids.append(assert_waits(gate.request("DELETE", DELETE.target, TOKENS["editor"])))
    ids.append(assert_waits(gate.request("PATCH", UPDATE.target, UPDATE.token, body=other)))
    assert len(set(ids)) == 5 and changes(sandbox) == []
    assert gate.leaks([world.SECRET_PASSWORD]) == []
