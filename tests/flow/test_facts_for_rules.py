"""Rules that look at what only the API knows: the gate asks for that, for no more, and judges again. What cannot be had makes a rule apply."""

import copy

import pytest

import world
from checks import assert_error, records_of
from world import ECR, FIXTURES, HUB, INTEGRATIONS, PAYMENTS, SETTINGS_BODY, TOKENS, UPDATE, VERSION

ITEM = f"{INTEGRATIONS}/{ECR}"


def rule(at, effect=None, operations=("deleteIntegration",), **test):
    return {"id": "a-rule", "reason": "Not this one.", "operations": list(operations), "when": [{"at": at, **test}], **(effect or {"deny": True})}


LOCK = rule("/integration/attributes/profile_name", matches="^images$")
SWITCHED_ON = rule("/integration/settings/container_app_scan_enabled", operations=["updateIntegration"], equals=True)
CROWDED = rule("/radius/projects", above=0)


@pytest.fixture
def make_ruled(make_gate, sandbox):
    """make_ruled(rules, **facts): a gate with these rules, and settings of `facts`."""
    return lambda *rules, **facts: make_gate(sandbox, policy=world.policy(rules=list(rules)), config={"facts": facts})


def request(gate, method, integration=ECR, token=TOKENS["editor"], **options):
    return gate.request(method, f"{INTEGRATIONS}/{integration}?version={VERSION}", token, **options)


def methods(sandbox):
    return [line["method"] for line in sandbox.ledger(asked=True)]


def paths(sandbox):
    return [line["target"].partition("?")[0].removeprefix(f"/rest/orgs/{PAYMENTS}") for line in sandbox.ledger(asked=True)]


def assert_denied(got):
    [error] = assert_error(got, 403, "denied")
    assert (error["meta"]["rule"], error["meta"]["reason"]) == ("a-rule", "Not this one.")


def test_a_lock_by_name(make_ruled, sandbox):
    gate = make_ruled(LOCK, radius="when-needed")
    got = request(gate, "DELETE")
    assert_denied(got)
    records_of(gate, got.field("portcullis-request-id"), ["refused"])
    assert methods(sandbox) == ["GET", "GET"]
    assert request(gate, "DELETE", HUB).status == 204


def test_a_lock_by_name_denies_the_rename(make_ruled, sandbox):
    gate = make_ruled(LOCK)
    assert_denied(request(gate, "PATCH", body=UPDATE.body))
    assert paths(sandbox) == [f"/integrations/{ECR}"]  # no more than is looked at
    same = copy.deepcopy(UPDATE.body)
    same["data"]["attributes"]["profile_name"] = "images"
    assert request(gate, "PATCH", body=same).status == 200
    assert request(gate, "PATCH", HUB, body={"data": {"type": "integration", "attributes": {"profile_name": "hubs"}}}).status == 200
    settings = gate.request("PATCH", f"{ITEM}/settings?version={VERSION}", TOKENS["editor"], body=SETTINGS_BODY)
    assert settings.status == 200


def test_settings(make_ruled, sandbox):
    gate = make_ruled(SWITCHED_ON)
    assert_denied(request(gate, "PATCH", body=UPDATE.body))
    assert gate.request("PATCH", f"{ITEM}/settings?version={VERSION}", TOKENS["editor"], body=SETTINGS_BODY).status == 200
    assert request(gate, "PATCH", body=UPDATE.body).status == 200
    assert methods(sandbox) == ["GET", "GET", "PATCH", "GET", "GET", "PATCH"]


@pytest.mark.parametrize("radius", ["always", "when-needed"])
def test_the_radius(make_ruled, sandbox, radius):
    gate = make_ruled(CROWDED, radius=radius)
    assert_denied(request(gate, "DELETE"))
    assert "DELETE" not in methods(sandbox) and len(methods(sandbox)) == 4
    assert request(gate, "DELETE", HUB).status == 204


@pytest.mark.parametrize("rules, path", [
    (CROWDED, "targets"), (CROWDED, "projects"), (LOCK, f"integrations/{ECR}"), (LOCK, f"integrations/{ECR}/settings")], ids=str)
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 403}, {"body": "{}"}, {"close": "middle"}], ids=str)
def test_what_cannot_be_had(make_ruled, sandbox, rules, path, fault):
    """A rule that denies does so; but where all it looks at is known, it is the settings alone that a delete lacks."""
    gate = make_ruled({**rules, "when": [{**rules["when"][0], **({"matches": "^another$"} if rules is LOCK else {"above": 100})}]})
    sandbox.fault(fault, match={"method": "GET", "path_prefix": f"/rest/orgs/{PAYMENTS}/{path}"}, count=0)
    got = request(gate, "DELETE")
    if path.endswith("settings"):
        assert_error(got, 502, "pre-image-unavailable")
    else:
        assert_denied(got)
    assert "DELETE" not in methods(sandbox)


def test_an_update_that_nobody_can_judge(make_ruled, sandbox):
    gate = make_ruled(SWITCHED_ON)
    sandbox.fault({"status": 500}, match={"method": "GET"}, count=0)
    assert_denied(request(gate, "PATCH", body=UPDATE.body))
    assert methods(sandbox) == ["GET"]


def test_too_much_to_count(make_sandbox, make_gate):
    """Beyond the bound on requests the radius is unknown: denied."""
    fixtures = copy.deepcopy(FIXTURES)
    fixtures["organizations"][PAYMENTS]["targets"] += [
        {"id": f"dddddddd-0000-4000-8000-{number:012d}", "integration_id": ECR} for number in range(100, 120)]
    sandbox = make_sandbox(fixtures)
    gate = make_gate(sandbox, policy=world.policy(rules=[rule("/radius/projects", above=1000)]), config={"facts": {"requests": 10}})
    assert_denied(request(gate, "DELETE"))
    assert len(methods(sandbox)) == 10 and "DELETE" not in methods(sandbox)


def test_other_rules_go_first(make_ruled, sandbox):
    """What can be said without asking is said without asking."""
    gate = make_ruled({"id": "locked", "reason": "All of it.", "operations": ["deleteIntegration"], "deny": True}, CROWDED)
    assert_error(request(gate, "DELETE"), 403, "denied")
    assert methods(sandbox) == []


def test_what_is_in_the_way_is_told_unless_a_rule_denies(make_ruled, sandbox):
    gate = make_ruled(rule("/integration/attributes/integration_type", equals="github"), {**CROWDED, "id": "crowded"})
    assert_error(request(gate, "DELETE", world.BROKERED), 409, "brokered")
    assert_denied(request(gate, "DELETE", world.GITHUB))
    assert_error(request(gate, "DELETE", world.ABSENT), 404, "no-such-integration")
    assert methods(sandbox) == ["GET"] * 3
