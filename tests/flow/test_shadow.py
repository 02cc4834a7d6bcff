"""A candidate for the policy is judged beside the one in force, and decides nothing: what it would decide otherwise is counted and told."""

import json
import re
import signal

import pytest

import world
from processes import wait_until
from test_rules import send
from world import DELETE, OPERATIONS, PAYMENTS, READ, TOKENS, UPDATE

IN_TURN = sorted(OPERATIONS, key=lambda operation: operation is DELETE)  # what is deleted is asked for first
ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


def without(*principals):
    """The policy of the others, but for the grants of these."""
    policy = world.policy()
    grants = policy["organizations"][PAYMENTS]["grants"]
    policy["organizations"][PAYMENTS]["grants"] = [grant for grant in grants if grant["principal"] not in principals]
    return policy


@pytest.fixture
def shadowed(make_gate, sandbox, tmp_path):
    """A gate with a candidate: shadowed(candidate, policy=…)."""

    def make(candidate, **options):
        shadow = tmp_path / "shadow.json"
        shadow.write_text(candidate if isinstance(candidate, str) else json.dumps(candidate))
        gate = make_gate(sandbox, config={"policy_shadow": str(shadow), **ADMIN, **options.pop("config", {})}, **options)
        gate.shadow_file = shadow
        return gate

    return make


def ask(gate, operation, token=None):
    return gate.request(operation.method, operation.target, token or operation.token, body=world.body_bytes(operation)).status


def results(gate):
    """What the shadow said of all requests, without what it never said."""
    return {name.split('"')[1]: value for name, value in gate.metrics().items()
            if name.startswith("portcullis_shadow_requests_total") and value}


def assert_results(gate, expected):
    """Once they are counted: a request is, a moment after its answer."""
    wait_until(lambda: results(gate) == expected, what=f"the shadow's results {expected}")


def disagreements(gate):
    return {tuple(re.findall('"([^"]*)"', name)): value for name, value in gate.metrics().items()
            if name.startswith("portcullis_shadow_disagreements_total")}


def shadows(gate, count):
    """The members `shadow` of the access log."""
    return [line.get("shadow") for line in gate.access_log(count)]


def test_it_would_refuse(shadowed, sandbox):
    """The request goes on as if there were no shadow; counts, access log and log say what it would have become."""
    gate = shadowed(without("viewer"))
    assert [ask(gate, READ) for _ in range(5)] == [200] * 5
    assert ask(gate, UPDATE) == 200
    other = {"result": "would-refuse", "gate": "permission", "rule": "no-grant", "code": "portcullis-forbidden"}
    assert [line.get("shadow") for line in sorted(gate.access_log(6), key=lambda line: line["method"])] == [other] * 5 + [None]
    assert_results(gate, {"would-refuse": 5, "agrees": 1})
    assert disagreements(gate) == {("would-refuse", "permission", "none"): 5}
    told = [line["detail"] for line in gate.log() if line["event"] == "shadow"]
    assert 1 <= len(told) < 5 and "would-refuse getIntegration, principal viewer: gate permission, rule no-grant, code portcullis-forbidden" in told[0]
    assert [line["method"] for line in sandbox.ledger()] == ["GET"] * 5 + ["PATCH"]
    assert {record["stage"] for record in gate.exchanges()} == {"intent", "outcome"}


def test_it_would_allow(shadowed, sandbox):
    """What the policy refuses stays refused: nothing reaches the upstream, and the journal has the refusal alone."""
    gate = shadowed(world.policy(), policy=without("deleter"))
    assert ask(gate, DELETE) == 403
    [shadow] = shadows(gate, 1)
    assert shadow["result"] == "would-allow" and shadow["gate"] == "permission" and shadow["code"] == "portcullis-forbidden"
    assert sandbox.ledger() == []
    assert [record["stage"] for record in gate.exchanges()] == ["refused"]


def test_it_agrees(shadowed, sandbox):
    """On all operations; and a request without a token is refused by both."""
    gate = shadowed(world.policy())
    for operation in IN_TURN:
        assert ask(gate, operation) == operation.status
    assert ask(gate, READ, "unknown") == 401
    assert shadows(gate, len(IN_TURN) + 1) == [None] * (len(IN_TURN) + 1)
    assert_results(gate, {"agrees": len(IN_TURN) + 1})
    assert disagreements(gate) == {}
    assert not [line for line in gate.log() if line["event"] == "shadow"]


def test_it_refuses_otherwise_or_knows_somebody_else(shadowed):
    candidate = world.policy(api_versions={"oldest": "2025-01-01", "stability": ["ga"]})
    gate = shadowed(candidate, policy=without("viewer"))
    assert ask(gate, READ) == 403
    [shadow] = shadows(gate, 1)
    assert shadow["result"] == "refuses-otherwise" and shadow["gate"] == "version"
    renamed = json.loads(json.dumps(without("viewer")).replace('"updater"', '"renamer"'))
    gate.shadow_file.write_text(json.dumps(renamed))
    gate.reload()
    assert ask(gate, UPDATE) == 200
    assert shadows(gate, 2)[1]["result"] == "other-principal"


def test_it_asks_the_upstream_for_nothing_and_takes_nothing(shadowed, make_gate, sandbox, tmp_path):
    """The ledger with a shadow is the ledger without one; and the shadow's rate limit is nobody's."""
    candidate = world.policy(rate_limit={"requests": 1, "seconds": 3600})
    gate = shadowed(candidate)
    for operation in IN_TURN:
        assert ask(gate, operation) == operation.status
    with_shadow = [(line["method"], line["target"]) for line in sandbox.ledger()]
    sandbox.request("POST", "/_sandbox/reset")
    before = len(sandbox.ledger())
    bare = make_gate(sandbox, config=ADMIN)
    for operation in IN_TURN:
        assert ask(bare, operation) == operation.status
    assert [(line["method"], line["target"]) for line in sandbox.ledger()[before:]] == with_shadow


def test_one_with_errors_is_none(shadowed):
    """At the start and at a reload; the policy is in force all the same."""
    gate = shadowed(world.policy(principles={}))
    assert ask(gate, READ) == 200
    assert_results(gate, {})
    assert gate.metrics()["portcullis_shadow_loaded"] == 0
    assert "principles" in gate.stderr()
    gate.shadow_file.write_text(json.dumps(without("viewer")))
    assert gate.reload()["detail"].startswith("in force")
    assert ask(gate, READ) == 200
    assert_results(gate, {"would-refuse": 1})
    assert gate.metrics()["portcullis_shadow_loaded"] == 1
    gate.shadow_file.unlink()
    gate.write_policy(without("updater"))
    assert gate.reload()["detail"].startswith("in force")
    assert ask(gate, UPDATE) == 403 and ask(gate, READ) == 200
    assert_results(gate, {"would-refuse": 1})
    assert gate.metrics()["portcullis_shadow_loaded"] == 0
    checked = gate.run("check")
    assert checked.returncode == 1 and "shadow.json" in checked.stderr


def with_rule(**rule):
    return world.policy(rules=[{"id": "locked", "reason": "Ask first.", **rule}])


def test_a_rule_of_it_is_named(shadowed, sandbox):
    gate = shadowed(with_rule(operations=["updateIntegration"], deny=True))
    assert ask(gate, UPDATE) == 200
    [shadow] = shadows(gate, 1)
    assert shadow == {"result": "would-refuse", "gate": "rules", "rule": "/rules/0", "code": "portcullis-denied"}
    assert disagreements(gate) == {("would-refuse", "rules", "locked"): 1}
    gate.shadow_file.write_text(json.dumps(with_rule(operations=["updateIntegration"],
                                                     budget={"requests": 1, "seconds": 60, "each": "gate"})))
    gate.reload()
    assert [ask(gate, UPDATE) for _ in range(3)] == [200] * 3  # nothing is spent from it
    assert_results(gate, {"would-refuse": 1, "demands-otherwise": 3})
    assert [line["method"] for line in sandbox.ledger()] == ["PATCH"] * 4


def test_what_it_would_have_to_ask_for_it_cannot_say(shadowed, sandbox):
    """The policy does not look at the integration, so nobody reads it; before a delete it is read in any case, and the shadow sees it."""
    named = {"when": [{"at": "/integration/attributes/profile_name", "equals": "images"}], "deny": True}
    gate = shadowed(with_rule(operations=["updateIntegration", "deleteIntegration"], **named))
    assert ask(gate, UPDATE) == 200
    assert [line["method"] for line in sandbox.ledger()] == ["PATCH"]
    assert_results(gate, {"cannot-say": 1})
    assert disagreements(gate) == {}
    sandbox.request("POST", "/_sandbox/reset")
    before = len(sandbox.ledger())
    assert ask(gate, DELETE) == 204
    assert_results(gate, {"cannot-say": 1, "would-refuse": 1})
    asked = [(line["method"], line["target"]) for line in sandbox.ledger()[before:]]
    gate.configure({"policy_shadow": None})
    gate.stop()
    gate.start()
    sandbox.request("POST", "/_sandbox/reset")
    before = len(sandbox.ledger())
    assert ask(gate, DELETE) == 204
    assert [(line["method"], line["target"]) for line in sandbox.ledger()[before:]] == asked


def test_its_file_is_watched(shadowed):
    gate = shadowed(world.policy(), config={"policy_watch": True})
    assert ask(gate, READ) == 200
    gate.shadow_file.write_text(json.dumps(without("viewer")))
    wait_until(lambda: gate.reloads(), what="the other candidate")
    assert ask(gate, READ) == 200
    assert_results(gate, {"agrees": 1, "would-refuse": 1})


def test_without_one_there_is_nothing_of_it(make_gate, sandbox):
    gate = make_gate(sandbox, config=ADMIN)
    assert ask(gate, READ) == 200
    assert not [name for name in gate.metrics() if "shadow" in name]
    assert TOKENS and shadows(gate, 1) == [None]


@pytest.mark.parametrize("until", [None, "reset"])
def test_a_budget_of_it_is_not_spent(shadowed, make_gate, sandbox, tmp_path, until):
    """Nothing of a candidate's budgets and breakers is in the journal; put in force, it finds them full."""
    shared = {"requests": 1, "seconds": 3600, "each": "principal", **({"until": until} if until else {})}
    candidate = world.policy(rules=[{"id": "one", "reason": "One.", "operations": ["updateIntegration"], "budget": shared}])
    gate = shadowed(candidate)
    assert [send(gate, world.another()).status for _ in range(3)] == [200] * 3
    assert not [claim for record in gate.journal() for claim in record.get("claims", []) if claim["claim"] == "budget"]
    assert not [record for record in gate.journal() if record["stage"] in ("breaker", "refused")]
    gate.write_policy(candidate)
    gate.signal(signal.SIGHUP)
    wait_until(lambda: [one for one in gate.reloads() if one["detail"].startswith("in force")], what="the candidate to be in force")
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
