"""Requests that come too often: for the policy, which limits a principal, and for the API, which has answered 429 to a credential."""

import email.utils
import time

import pytest

from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from upstreams import answer
from world import BY_ID, READ, TOKENS, UPDATE, policy

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}
LIST = BY_ID["listIntegrations"]


def limited(principal, requests, seconds, **changes):
    document = policy(**changes)
    document["principals"][principal]["rate_limit"] = {"requests": requests, "seconds": seconds}
    return document


def get(gate, token=READ.token):
    return gate.request("GET", READ.target, token)


# The policy's limit.

def test_a_principal_that_asks_too_often(make_gate, sandbox):
    """429 with all that a client needs to know; others go on; refused requests of its own cost it nothing."""
    gate = make_gate(sandbox, policy=limited("viewer", 3, 3600), config={**ADMIN, "workers": 2})
    assert gate.request("DELETE", READ.target, TOKENS["viewer"]).status == 403
    assert [get(gate).status for _ in range(4)] == [200, 200, 200, 429]
    got = get(gate)
    [error] = assert_error(got, 429, "rate-limited")
    assert "/principals/viewer/rate_limit" in error["detail"]
    assert got.field("RateLimit-Policy") == '"principal";q=3;w=3600'
    wait = int(got.field("Retry-After"))
    assert 1190 <= wait <= 1200
    assert got.field("RateLimit") == f'"principal";r=0;t={wait}'
    line = access_line(gate, request_id(got))
    assert (line["verdict"], line["gate"], line["rule"], line["code"]) == (
        "refuse", "limits", "/principals/viewer/rate_limit", "portcullis-rate-limited")
    assert get(gate, TOKENS["editor"]).status == 200
    assert len(sandbox.ledger()) == 4
    assert gate.metrics()["portcullis_rate_limited_requests_total"] == 2


def test_a_change_too_many(make_gate, sandbox):
    """Nothing of it is intended or sent, and the journal has the refusal."""
    gate = make_gate(sandbox, policy=policy(rate_limit={"requests": 1, "seconds": 3600}))
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert_error(got, 429, "rate-limited")
    [record] = records_of(gate, request_id(got), ["refused"])
    assert (record["status"], record["rule"], record["detail"]) == (429, "/rate_limit", "portcullis-rate-limited")
    assert [line["method"] for line in sandbox.ledger()] == ["PATCH"]


def test_a_bucket_fills_again(make_gate, sandbox):
    gate = make_gate(sandbox, policy=limited("viewer", 1, 1))
    assert get(gate).status == 200
    refused = get(gate)
    assert (refused.status, refused.field("Retry-After")) == (429, "1")
    wait_until(lambda: get(gate).status == 200, what="the next second")


def test_workers_count_together(make_gate, sandbox):
    """Many connections, which the kernel spreads over the workers: not one request more."""
    gate = make_gate(sandbox, policy=limited("viewer", 20, 3600), config={"workers": 4})
    assert sorted(get(gate).status for _ in range(60)) == [200] * 20 + [429] * 40


def test_a_reload_forgets_nothing(make_gate, sandbox):
    gate = make_gate(sandbox, policy=limited("viewer", 2, 3600))
    assert [get(gate).status for _ in range(3)] == [200, 200, 429]
    gate.write_policy(limited("viewer", 2, 3600, rate_limit={"requests": 100, "seconds": 1}))
    gate.reload()
    assert get(gate).status == 429
    gate.write_policy(policy())
    gate.reload()
    wait_until(lambda: get(gate).status == 200, what="no limit any more")


# The API's.

def refuse(sandbox, retry_after, count=1, **match):
    sandbox.fault({"status": 429, "headers": {"Retry-After": retry_after} if retry_after is not None else {}}, match=match or None, count=count)


def shielded(gate, token=READ.token):
    answered = get(gate, token)
    if answered.status == 200:
        return None
    assert_error(answered, 429, "upstream-rate-limited")
    return answered


def test_a_credential_that_the_api_answered_429(make_gate, sandbox):
    """The API's own answer first, then the gate's, for that credential alone, on every worker; one line in the log."""
    gate = make_gate(sandbox, config={**ADMIN, "workers": 4})
    refuse(sandbox, "300")
    first = get(gate)
    assert (first.status, first.field("Retry-After")) == (429, "300")
    assert not first.json()["errors"][0].get("code", "").startswith("portcullis")
    for _ in range(12):
        got = shielded(gate)
        assert 290 <= int(got.field("Retry-After")) <= 300
    assert get(gate, TOKENS["editor"]).status == 200
    assert len(sandbox.ledger()) == 2
    line = access_line(gate, request_id(got))
    assert (line["verdict"], line["gate"], line["rule"], line["code"]) == ("refuse", "limits", "shield", "portcullis-upstream-rate-limited")
    [event] = [event for event in gate.log() if event["event"] == "upstream-rate-limited"]
    assert "300 s" in event["detail"] and '"viewer"' in event["detail"]
    assert READ.token not in gate.stderr()
    metrics = gate.metrics()
    assert (metrics["portcullis_shield_openings_total"], metrics["portcullis_shielded_requests_total"]) == (1, 12)


def test_a_change_is_stopped_before_its_intent(make_gate, sandbox):
    gate = make_gate(sandbox)
    refuse(sandbox, "300", method="PATCH")
    first = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert first.status == 429
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert_error(got, 429, "upstream-rate-limited")
    [record] = records_of(gate, request_id(got), ["refused"])
    assert (record["status"], record["rule"], record["detail"]) == (429, "shield", "portcullis-upstream-rate-limited")
    assert [record["status"] for record in gate.exchanges("outcome")] == [429]
    assert len(gate.exchanges("intent")) == 1
    assert len(sandbox.ledger()) == 1


def test_a_credential_of_the_gate_is_one_for_all_its_principals(make_gate, sandbox):
    """Two principals with the same key of the gate's, one of whom has it as its own token, too."""
    document = policy()
    for name in ("viewer", "editor"):
        document["principals"][name]["upstream_token"] = {"env": "HELD"}
    gate = make_gate(sandbox, policy=document, environment={"HELD": TOKENS["everywhere"]})
    refuse(sandbox, "300")
    assert get(gate, TOKENS["viewer"]).status == 429
    for name in ("viewer", "editor", "everywhere"):
        assert shielded(gate, TOKENS[name]), name
    assert get(gate, TOKENS["deleter"]).status == 200
    [event] = [event for event in gate.log() if event["event"] == "upstream-rate-limited"]
    assert "environment variable HELD" in event["detail"]
    assert TOKENS["everywhere"] not in gate.stderr()


@pytest.mark.parametrize("asked, held", [
    ("7", 7), ("100000", 40), (None, 20), ("0", 1), ("-5", 20), ("soon", 20), ("99999999999999999999", 20),
    (lambda: email.utils.formatdate(time.time() + 30, usegmt=True), 30), ("Sun, 06 Nov 1994 08:49:37 GMT", 20)])
def test_how_long(make_gate, make_upstream, asked, held):
    """Seconds, a date, nothing, or nonsense; never longer than the setting says."""
    value = asked() if callable(asked) else asked
    fields = [("Retry-After", value)] if value is not None else []
    upstream = make_upstream(lambda connection, received: connection.sendall(answer("429 Too Many Requests", body=b"{}", fields=fields)) or True)
    gate = make_gate(upstream, config={"upstream": {"retry_after_s": 20, "retry_after_most_s": 40}})
    assert get(gate).status == 429
    [event] = [event for event in gate.log() if event["event"] == "upstream-rate-limited"]
    said = int(event["detail"].split(" for ")[1].split(" s,")[0])
    assert held - 2 <= said <= held
    if held > 2:
        assert held - 2 <= int(shielded(gate).field("Retry-After")) <= held


def test_the_time_ends(make_gate, sandbox):
    gate = make_gate(sandbox)
    refuse(sandbox, "1")
    assert get(gate).status == 429
    assert shielded(gate)
    wait_until(lambda: not shielded(gate), what="the end of the second")
    assert len(sandbox.ledger()) == 2


def test_it_can_be_switched_off(make_gate, sandbox):
    gate = make_gate(sandbox, config={"upstream": {"retry_after_most_s": 0}})
    refuse(sandbox, "300")
    assert get(gate).status == 429
    assert get(gate).status == 200
