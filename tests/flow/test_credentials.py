"""Credentials that the gate holds for its clients: which one is presented, where it comes from, and that the client's own never leaves."""

import os

import pytest

import world
from checks import assert_error, fields_of
from processes import wait_until
from world import PAYMENTS, READ, SEARCH, TOKENS, UPDATE, VERSION

REAL = "real-upstream-key-0001"


def authorization(sandbox):
    return [fields_of(line, "authorization") for line in sandbox.ledger()]


def policy_holding(source, principal="held"):
    policy = world.policy()
    policy["principals"][principal]["upstream_token"] = source
    return policy


def test_from_the_environment(make_gate, sandbox):
    gate = make_gate(sandbox, policy=policy_holding({"env": "PORTCULLIS_TEST_KEY"}), environment={"PORTCULLIS_TEST_KEY": REAL})
    assert gate.request("GET", READ.target, TOKENS["held"]).status == 200
    assert gate.request("PATCH", UPDATE.target, TOKENS["held"], body=UPDATE.body).status == 200
    assert gate.request("GET", READ.target, TOKENS["viewer"]).status == 200
    assert authorization(sandbox) == [[f"Token {REAL}"], [f"Token {REAL}"], [f"Token {TOKENS['viewer']}"]]
    assert TOKENS["held"] not in sandbox.ledger_file.read_text()


def test_from_a_file_and_again_after_sighup(make_gate, sandbox, tmp_path):
    key = tmp_path / "upstream.key"
    key.write_text(REAL + "\n")
    key.chmod(0o600)
    gate = make_gate(sandbox, policy=policy_holding({"file": "upstream.key"}))
    assert gate.request("GET", READ.target, TOKENS["held"]).status == 200
    key.write_text("real-upstream-key-0002\n")
    gate.reload()
    wait_until(lambda: gate.request("GET", READ.target, TOKENS["held"]).status == 200 and
               authorization(sandbox)[-1] == ["Token real-upstream-key-0002"], what="the new key at the upstream")
    assert authorization(sandbox)[0] == [f"Token {REAL}"]
    assert TOKENS["held"] not in sandbox.ledger_file.read_text()


def test_of_an_organization(make_gate, sandbox):
    """An organisation's credential serves all its principals but those that have one of their own."""
    policy = policy_holding({"env": "OF_PRINCIPAL"})
    policy["organizations"][PAYMENTS]["upstream_token"] = {"env": "OF_ORGANIZATION"}
    gate = make_gate(sandbox, policy=policy, environment={"OF_PRINCIPAL": "principal-key", "OF_ORGANIZATION": "organization-key"})
    assert gate.request("GET", READ.target, TOKENS["viewer"]).status == 200
    assert gate.request("GET", READ.target, TOKENS["held"]).status == 200
    assert gate.request("GET", f"/rest/orgs/{SEARCH}/integrations?version={VERSION}", TOKENS["viewer"]).status == 200
    assert authorization(sandbox) == [["Token organization-key"], ["Token principal-key"], [f"Token {TOKENS['viewer']}"]]


@pytest.mark.parametrize("source", [{"env": "PORTCULLIS_TEST_ABSENT"}, {"file": "absent.key"}], ids=["variable", "file"])
def test_missing_at_start(make_gate, sandbox, source):
    """The gate does not start with a credential that is not there: to send the client's own instead would be a leak."""
    environment = {key: value for key, value in os.environ.items() if key != "PORTCULLIS_TEST_ABSENT"}
    gate = make_gate(sandbox, policy=policy_holding(source), environment=environment, start=False)
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    assert list(source.values())[0] in gate.stderr()


def test_a_reload_that_loses_a_file_keeps_the_old(make_gate, sandbox, tmp_path):
    key = tmp_path / "upstream.key"
    key.write_text(REAL)
    key.chmod(0o600)
    gate = make_gate(sandbox, policy=policy_holding({"file": "upstream.key"}))
    key.unlink()
    gate.reload()
    assert gate.request("GET", READ.target, TOKENS["held"]).status == 200
    assert authorization(sandbox) == [[f"Token {REAL}"]]


def test_the_upstreams_refusal_of_the_held_key_is_passed_on(make_gate, sandbox):
    gate = make_gate(sandbox, policy=policy_holding({"env": "PORTCULLIS_TEST_KEY"}), environment={"PORTCULLIS_TEST_KEY": REAL})
    answer = gate.request("GET", READ.target, "not-" + TOKENS["held"])
    assert_error(answer, 401, "unauthenticated")
    assert sandbox.ledger() == []
