"""Approvals, from the request to the ledger: a change that a rule wants approved is asked for once, however often it is tried; what was seen
before is bound to it; and nothing reaches the API before enough people have agreed."""

import concurrent.futures
import copy
import json
import subprocess

import pytest

import world
from checks import access_line, assert_error, records_of, request_id
from processes import BUILD, wait_until
from test_rules import changes, rule, send
from test_shipping import Hook
from world import CREATE, DELETE, ECR, FIXTURES, PAYMENTS, TOKENS, UPDATE

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


def test_of_many_first_attempts_at_once_one_is_recorded(make_gate, sandbox):
    """… over several workers, and one reads: the others are told that the same is under way."""
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]), config={"workers": 2})
    sandbox.fault({"delay_ms": 200}, {"method": "GET"})
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(gate, DELETE), range(6)))
    [approval] = {assert_waits(got) for got in answers if got.status == 403}
    for got in answers:
        assert got.status == 403 or assert_error(got, 409, "twin-in-flight")
    assert len([got for got in answers if got.status == 409]) >= 1 and assert_waits(send(gate, DELETE)) == approval
    assert len(approvals(gate)) == 1 and len(reads(sandbox)) == READS and changes(sandbox) == []


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


# ---- complete ----

def with_approvers(*rules, drop=(), owners=None):
    """A policy in which "viewer" and "creator" may approve in that organisation."""
    document = world.policy(rules=list(rules))
    for grant in document["organizations"][PAYMENTS]["grants"]:
        if grant["principal"] in ("viewer", "creator") and grant["principal"] not in drop:
            grant["permissions"] = [*grant.get("permissions", []), "portcullis.approve"]
    for name, behind in (owners or {}).items():
        document["principals"][name]["owners"] = behind
    return document


@pytest.fixture
def approve(sandbox):
    """Has the approval given (or withdrawn: no person) in the journal of the gate, which is stopped for that and started again."""
    def give(gate, approval, *principals, upstream=sandbox, policy=None):
        gate.stop()
        for principal in principals:
            done = subprocess.run([BUILD / "bench" / "approve", gate.audit_directory, gate.audit_directory.with_suffix(".keys"), approval,
                                   principal, principal], capture_output=True, text=True, timeout=30)
            assert (done.returncode, done.stdout) == (0, "taken\n"), done
        if policy:
            gate.write_policy(policy)
        gate.configure({"upstream": {"url": upstream.url}})
        gate.start()
    return give


def test_when_all_have_agreed_it_passes_once(make_gate, sandbox, approve):
    gate = make_gate(sandbox, policy=with_approvers(demand(people=2)), config={"workers": 2})
    approval = assert_waits(send(gate, DELETE), people=2)
    approve(gate, approval, "viewer")
    assert assert_waits(send(gate, DELETE), people=2, given=1) == approval and len(reads(sandbox)) == READS
    approve(gate, approval, "creator")
    got = send(gate, DELETE)
    assert got.status == 204 and len(changes(sandbox)) == 1
    intent, _ = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
    [claim] = [claim for claim in intent["claims"] if claim["claim"] == "approval"]
    assert claim["id"] == approval
    assert approvals(gate, "void") == []


def test_of_many_at_once_one_passes_and_the_others_ask_anew(make_gate, sandbox, approve):
    gate = make_gate(sandbox, policy=with_approvers(demand()), config={"workers": 2})
    approval = assert_waits(send(gate, CREATE))
    approve(gate, approval, "viewer")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(gate, CREATE), range(8)))
    statuses = sorted(got.status for got in answers)
    assert statuses[0] == 201 and set(statuses[1:]) <= {403, 409} and len(changes(sandbox)) == 1  # 409: while the first is under way
    waiting = [got for got in answers if got.status == 403] or [send(gate, CREATE)]
    [again] = {assert_waits(got) for got in waiting}
    assert again != approval and [record["approval"] for record in approvals(gate, "requested")] == [approval, again]


def renamed(name, resource=world.ECR):
    return {"data": {"id": resource, "type": "integration", "attributes": {"profile_name": name}}}


@pytest.mark.parametrize("other", [
    {"body": renamed("something else")},
    {"body": renamed("hub", world.HUB), "target": UPDATE.target.replace(world.ECR, world.HUB)},
    {"target": UPDATE.target.replace(world.VERSION, "2024-10-16")},
    {"token": TOKENS["editor"]},
    {"target": UPDATE.target.replace("?", "/settings?"), "body": world.SETTINGS_BODY, "token": TOKENS["editor"]},
    {"method": "DELETE", "body": None, "token": TOKENS["editor"]},
], ids=["content", "integration", "version", "principal", "settings", "method"])
def test_it_is_good_for_nothing_else(make_gate, sandbox, approve, other):
    """Who has one and asks for another thing asks anew, and takes nothing from it; by another spelling it is the same."""
    gate = make_gate(sandbox, policy=with_approvers(demand()))
    same = {"method": "PATCH", "target": UPDATE.target, "token": UPDATE.token, "body": renamed("as approved")}
    approval = assert_waits(gate.request(**same))
    approve(gate, approval, "viewer")
    for _ in range(2):
        assert assert_waits(gate.request(**{**same, **other})) != approval and changes(sandbox) == []
    assert approvals(gate, "void") == []
    spelt = {"data": {"attributes": {"profile_name": "as\\u0020approved"}, "type": "integration", "id": world.ECR.upper()}}
    upper = UPDATE.target.replace(world.ECR, world.ECR.upper())
    got = gate.request("PATCH", upper, UPDATE.token, {"Authorization": f"token {UPDATE.token}"}, json.dumps(spelt).replace("\\\\", "\\"))
    assert got.status == 200 and len(changes(sandbox)) == 1
    assert assert_waits(gate.request(**{**same, "body": renamed("and then this")})) != approval and len(changes(sandbox)) == 1


def test_what_was_certainly_not_sent_can_be_tried_again(make_gate, sandbox, approve):
    gate = make_gate(sandbox, policy=with_approvers(demand()))
    approval = assert_waits(send(gate, CREATE))
    approve(gate, approval, "viewer")
    sandbox.stop()
    for _ in range(2):
        got = send(gate, CREATE)
        assert got.status == 502
        _, outcome = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
        assert outcome["sent"] is False


def changed(what):
    """The sandbox's world with another name of the integration, one more target, or no target."""
    fixtures = copy.deepcopy(FIXTURES)
    organization = fixtures["organizations"][PAYMENTS]
    if what == "pre-image":
        [integration] = [one for one in organization["integrations"] if one["id"] == ECR]
        integration["profile_name"] = "other images"
    else:
        more = [{**organization["targets"][0], "id": "dddddddd-0000-4000-8000-000000000002"}]
        organization["targets"] = organization["targets"] + more if what == "larger" else []
        organization["projects"] = organization["projects"] if what == "larger" else []
    return fixtures


@pytest.mark.parametrize("what, said", [("pre-image", "was changed since"), ("larger", "more hangs on")])
def test_what_is_not_as_it_was_makes_it_void(make_gate, make_sandbox, sandbox, approve, what, said):
    gate = make_gate(sandbox, policy=with_approvers(demand()))
    approval = assert_waits(send(gate, DELETE))
    other = make_sandbox(changed(what))
    approve(gate, approval, "viewer", upstream=other)
    got = send(gate, DELETE)
    again = assert_waits(got)
    assert again != approval and said in got.json()["errors"][0]["detail"] and changes(other) == []
    [void] = approvals(gate, "void")
    assert void["approval"] == approval and said in void["detail"] and void["request_id"] == request_id(got)
    assert [record["approval"] for record in approvals(gate, "requested")] == [approval, again]
    before = len(reads(other))
    assert assert_waits(send(gate, DELETE)) == again and len(reads(other)) == before
    approve(gate, again, "viewer", upstream=other)
    assert send(gate, DELETE).status == 204 and len(changes(other)) == 1


def test_a_smaller_radius_passes(make_gate, make_sandbox, sandbox, approve):
    gate = make_gate(sandbox, policy=with_approvers(demand()))
    approval = assert_waits(send(gate, DELETE))
    other = make_sandbox(changed("smaller"))
    approve(gate, approval, "viewer", upstream=other)
    assert send(gate, DELETE).status == 204 and len(changes(other)) == 1


@pytest.mark.parametrize("policy", [
    with_approvers(demand(), drop=["viewer"]), with_approvers(demand(), owners={"deleter": ["viewer"]}), with_approvers(demand(people=2)),
    with_approvers(demand(), owners={"deleter": ["held", "nobody"], "viewer": ["setter", "nobody"]}),
], ids=["no permission any more", "owns the requester now", "more people now", "one of its owners owns the requester, too"])
def test_who_agreed_must_still_count(make_gate, sandbox, approve, policy):
    gate = make_gate(sandbox, policy=with_approvers(demand()))
    approval = assert_waits(send(gate, DELETE))
    approve(gate, approval, "viewer", policy=policy)
    people = policy["rules"][0]["require"]["approval"]["people"]
    for _ in range(2):
        assert assert_waits(send(gate, DELETE), people=people, given=people - 1) == approval
    assert len(reads(sandbox)) == READS and changes(sandbox) == []


def test_people_are_told_apart_by_the_policy_in_force(make_gate, sandbox, approve):
    """Two who agreed have a person in common now, though not the first of each: that is one person."""
    apart = with_approvers(demand(people=2), owners={"viewer": ["held", "nobody"], "creator": ["editor", "setter"]})
    common = with_approvers(demand(people=2), owners={"viewer": ["held", "setter"], "creator": ["editor", "setter"]})
    gate = make_gate(sandbox, policy=apart)
    approval = assert_waits(send(gate, DELETE), people=2)
    approve(gate, approval, "viewer", "creator", policy=common)
    for _ in range(2):
        assert assert_waits(send(gate, DELETE), people=2, given=1) == approval
    assert changes(sandbox) == []
    approve(gate, approval, policy=apart)
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1


# ---- beside it ----

def test_what_is_refused_anyway_asks_nobody(make_gate, sandbox):
    deny = {"id": "no", "reason": "No.", "deny": True, "operations": ["deleteIntegration"]}
    gate = make_gate(sandbox, policy=world.policy(rules=[demand(), deny]))
    assert_error(send(gate, DELETE), 403, "denied")
    assert_error(gate.request("DELETE", DELETE.target, TOKENS["viewer"]), 403, "forbidden")
    assert approvals(gate) == [] and sandbox.ledger(asked=True) == []


def test_a_dry_run_shows_it_and_asks_nobody(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand(people=2)]))

    def attempt():
        return send(gate, DELETE, Portcullis_Dry_Run="?1").json()["meta"]["decision"]

    assert attempt()["approval"] == {"people": 2, "seconds": 3600} and approvals(gate) == []
    approval = assert_waits(send(gate, DELETE), people=2)
    shown = attempt()
    assert shown["verdict"] == "pass" and shown["approval"]["pending"]["id"] == approval and shown["approval"]["pending"]["given"] == 0
    assert len(approvals(gate)) == 1 and changes(sandbox) == []


def test_only_observed_and_broken_glass_ask_nobody(make_gate, sandbox):
    policy = world.policy(rules=[demand()])
    policy["principals"]["updater"]["break_glass"] = {"requests": 2, "seconds": 3600}
    gate = make_gate(sandbox, policy=policy)
    assert send(gate, UPDATE, Portcullis_Break_Glass="INC-7").status == 200
    observed = make_gate(sandbox, policy=world.policy(rules=[demand()], enforcement="observe"))
    got = send(observed, UPDATE)
    assert got.status == 200
    intent, _ = records_of(observed, got.field("portcullis-request-id"), ["intent", "outcome"])
    assert intent["would_refuse"] == "portcullis-approval-required"
    assert approvals(gate) == [] and approvals(observed) == []


def test_all_rules_are_satisfied_by_one(make_gate, sandbox):
    other = {**demand(people=3, seconds=60), "id": "other"}
    gate = make_gate(sandbox, policy=world.policy(rules=[demand(people=2, seconds=3600), other]))
    assert_waits(send(gate, DELETE), people=3)
    [claim] = approvals(gate)[0]["claims"]
    assert (claim["people"], claim["seconds"], claim["rule"]) == (3, 60, "the-rule")


def test_a_rule_about_the_radius_is_answered_without_asking_again(make_gate, sandbox):
    """… whether it applies is not known before the API was asked, and that was done once."""
    gate = make_gate(sandbox, policy=world.policy(rules=[
        demand(operations=["deleteIntegration"], when=[{"at": "/radius/targets", "above": 0}])]))
    assert len({assert_waits(send(gate, DELETE)) for _ in range(3)}) == 1
    assert len(reads(sandbox)) == READS


def test_no_more_wait_than_may(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]))

    def rename(number):
        body = {"data": {**world.UPDATE_BODY["data"], "attributes": {"profile_name": f"name {number}"}}}
        return gate.request("PATCH", UPDATE.target, UPDATE.token, body=body)

    for number in range(20):
        assert_waits(rename(number))
    [error] = assert_error(rename(20), 429, "approval-limit")
    assert "20 requests" in error["detail"]
    assert_waits(rename(0))  # it waits already
    assert_waits(send(gate, DELETE))  # somebody else's
    assert len(approvals(gate)) == 21 and changes(sandbox) == []


def test_what_the_claim_counts_are_those_who_still_may(make_gate, sandbox, approve):
    """A rule that only the radius makes apply wants two people; one of the two who agreed may not any more."""
    rules = [demand(), {**demand(people=2, operations=["deleteIntegration"], when=[{"at": "/radius/targets", "above": 0}]), "id": "two"}]
    gate = make_gate(sandbox, policy=with_approvers(*rules))
    approval = assert_waits(send(gate, DELETE), people=2)
    approve(gate, approval, "viewer", "creator", policy=with_approvers(*rules, drop=["creator"]))
    assert assert_waits(send(gate, DELETE), people=2, given=1) == approval
    assert changes(sandbox) == []
    approve(gate, approval, policy=with_approvers(*rules))
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1


# ---- who should know is told ----

@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.close()


def shipped(hook, **members):
    """The records that came to the webhook with these members."""
    records = [json.loads(line) for _, _, lines in list(hook.batches) for line in lines]
    return [record for record in records if all(record.get(name) == value for name, value in members.items())]


def test_a_request_for_approval_comes_to_the_webhook(make_gate, sandbox, hook):
    gate = make_gate(sandbox, policy=world.policy(rules=[demand()]), config={"ship": {"state": "state", "webhook": hook.url}})
    approval = assert_waits(send(gate, CREATE))
    [record] = wait_until(lambda: shipped(hook, stage="approval"), what="the request for approval")
    assert (record["result"], record["approval"], record["principal"]) == ("requested", approval, "creator")
    told = [gate.log(), record]
    assert world.SECRET_PASSWORD not in json.dumps(told)


def test_broken_glass_is_told_before_the_change_has_ended(make_gate, sandbox, hook):
    policy = world.policy(rules=[demand()])
    policy["principals"]["updater"]["break_glass"] = {"requests": 2, "seconds": 3600}
    gate = make_gate(sandbox, policy=policy, config={"ship": {"state": "state", "webhook": hook.url}})
    sandbox.fault({"delay_ms": 3000}, {"method": "PATCH"})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(send, gate, UPDATE, Portcullis_Break_Glass="INC-7: now")
        [record] = wait_until(lambda: shipped(hook, stage="intent", severity="critical"), what="the alarm")
        assert record["reason"] == "INC-7: now" and not got.done()
        assert [line for line in gate.log() if line["event"] == "break-glass"]
        assert got.result().status == 200
