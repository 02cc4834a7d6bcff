"""Budgets of rules and of breaking the glass: reserved in the journal before anything is sent, so that no more reaches the API than there is,
whoever asks at the same time, and whatever dies in between."""

import concurrent.futures

import pytest

import world
from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from test_console import run
from test_rules import changes, rule, send
from world import CREATE, PAYMENTS, READ, SETTINGS_BODY, TOKENS, UPDATE

FREEZE = {"id": "freeze", "reason": "Nothing changes now.", "require": {"break_glass": True}}


def budget(requests=2, each="principal", seconds=3600, **more):
    return rule(budget={"requests": requests, "seconds": seconds, "each": each, **more})


def with_glass(rules, requests=2):
    document = world.policy(rules=rules)
    document["principals"]["updater"]["break_glass"] = {"requests": requests, "seconds": 3600}
    return document


def spent_by(intent):
    return [claim["scope"] for claim in intent["claims"] if claim["claim"] == "budget"]


def assert_spent(got, name="the-rule"):
    [error] = assert_error(got, 429, "budget-spent")
    assert error["meta"]["rule"] == name
    return error


def test_no_more_than_there_is(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(2)]))
    passed = [send(gate, UPDATE) for _ in range(2)]
    assert [got.status for got in passed] == [200, 200]
    refused = send(gate, UPDATE)
    assert_spent(refused)
    assert 3500 <= int(refused.field("retry-after")) <= 3600
    assert len(changes(sandbox)) == 2
    [record] = records_of(gate, request_id(refused), ["refused"])
    assert (record["gate"], record["rule"], record["detail"]) == ("budget", "/rules/0", "portcullis-budget-spent")
    assert access_line(gate, request_id(refused))["gate"] == "budget"
    for got in passed:
        intent, _ = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
        assert spent_by(intent) == ["the-rule\nupdater"]
    assert send(gate, READ).status == 200


@pytest.mark.parametrize("each, others", [("principal", 201), ("organization", 429), ("gate", 429)])
def test_whose_budget_it_is(make_gate, sandbox, each, others):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(1, each)]))
    assert send(gate, UPDATE).status == 200
    assert send(gate, UPDATE).status == 429
    assert send(gate, CREATE).status == others


def test_of_many_at_once_no_more_pass_and_as_many_as_may(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(7, "gate")]), config={"workers": 2})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: send(gate, world.another()).status, range(40)))
    assert sorted(statuses) == [200] * 7 + [429] * 33
    assert len(changes(sandbox)) == 7


def test_a_restart_forgets_nothing(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(1)]))
    assert send(gate, UPDATE).status == 200
    gate.stop()
    gate.start()
    assert_spent(send(gate, UPDATE))
    assert len(changes(sandbox)) == 1


def test_what_was_certainly_not_sent_is_given_back(make_gate, sandbox):
    """The upstream takes no connection: nothing can have been written."""
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(1)]))
    sandbox.stop()
    for _ in range(3):
        got = send(gate, UPDATE)
        assert got.status == 502
        _, outcome = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
        assert outcome["sent"] is False


def test_a_breaker_trips_and_says_so(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(1, until="reset")]))
    assert send(gate, UPDATE).status == 200
    for _ in range(2):
        assert assert_spent(send(gate, UPDATE))["meta"]["until"] == "reset"
    tripped = [record for record in gate.journal() if record["stage"] == "breaker"]
    assert [record["result"] for record in tripped] == ["tripped"]


def test_several_budgets_are_spent_together_or_not_at_all(make_gate, sandbox):
    """What the narrow one refuses takes nothing from the wide one."""
    wide = {**budget(3), "id": "wide"}
    narrow = {**budget(1), "id": "narrow", "operations": ["updateIntegration"]}
    gate = make_gate(sandbox, policy=world.policy(rules=[wide, narrow]))
    settings = world.BY_ID["updateIntegrationSettings"]

    def change(operation):
        return gate.request(operation.method, operation.target, TOKENS["editor"], body=operation.body)

    assert change(UPDATE).status == 200
    for _ in range(4):
        assert_spent(change(UPDATE), "narrow")
    assert [change(settings).status for _ in range(3)] == [200, 200, 429]
    assert settings.body == SETTINGS_BODY and len(changes(sandbox)) == 3


def test_where_it_is_only_observed_what_it_would_refuse_goes_on(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[budget(1)], enforcement="observe"))
    assert send(gate, UPDATE).status == 200
    got = send(gate, UPDATE)
    assert got.status == 200 and len(changes(sandbox)) == 2
    intent, _ = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
    assert (intent["would_refuse"], intent["would_rule"]) == ("portcullis-budget-spent", "/rules/0")
    assert spent_by(intent) == [] and access_line(gate, got.field("portcullis-request-id"))["verdict"] == "pass"


# ---- break-glass ----

def test_broken_glass_passes_a_freeze_and_is_told(make_gate, sandbox):
    gate = make_gate(sandbox, policy=with_glass([FREEZE]))
    assert_error(send(gate, UPDATE), 403, "frozen")
    got = send(gate, UPDATE, Portcullis_Break_Glass="INC-7: the registry is compromised")
    assert got.status == 200 and len(changes(sandbox)) == 1
    intent, _ = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
    assert (intent["severity"], intent["reason"]) == ("critical", "INC-7: the registry is compromised")
    assert spent_by(intent) == ["break-glass\nupdater"]
    [alarm] = wait_until(lambda: [line for line in gate.log() if line["event"] == "break-glass"], what="the alarm")
    assert alarm["level"] == "error" and got.field("portcullis-request-id") in alarm["detail"] and "INC-7" in alarm["detail"]


def test_the_glass_has_a_budget_of_its_own(make_gate, sandbox):
    gate = make_gate(sandbox, policy=with_glass([FREEZE], requests=1))
    assert send(gate, UPDATE, Portcullis_Break_Glass="one").status == 200
    got = send(gate, UPDATE, Portcullis_Break_Glass="two")
    [error] = assert_error(got, 429, "budget-spent")
    assert "updater" in error["detail"] and len(changes(sandbox)) == 1
    [record] = records_of(gate, request_id(got), ["refused"])
    assert record["rule"] == "break-glass"


def test_broken_glass_passes_no_budget_of_a_rule(make_gate, sandbox):
    gate = make_gate(sandbox, policy=with_glass([budget(1)]))
    assert send(gate, UPDATE).status == 200
    assert_spent(send(gate, UPDATE, Portcullis_Break_Glass="now"))
    assert len(changes(sandbox)) == 1
    assert send(gate, READ).status == 200


def test_no_rule_takes_the_name_of_that_budget(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(rules=[{**budget(1), "id": "break-glass"}]), start=False)
    assert "break-glass" in run("check", "-c", gate.config_file, status=1).err
    assert PAYMENTS in UPDATE.target
